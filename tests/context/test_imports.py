"""Imports are resolved to the files of the project, and to nothing else."""

import pytest

from dllm_lsp.context.imports import imported

PYTHON = {
    "web/__init__.py", "web/client.py", "web/models.py", "tool.py",
    "web/auth/__init__.py", "web/auth/basic.py", "web/auth/digest.py",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("from .models import Request\n", ["web/models.py"]),
        ("from . import models, client\n", ["web/models.py", "web/__init__.py"]),
        ("from .auth.basic import Basic\n", ["web/auth/basic.py"]),
        ("from .auth import basic as b, Nothing\n", ["web/auth/basic.py", "web/auth/__init__.py"]),
        ("from .auth.x import (\n    basic,\n    digest,\n)\n", []),
        ("from web.auth import (\n    basic,\n)\n", ["web/auth/basic.py", "web/auth/__init__.py"]),
        ("import web.auth.digest, tool\n", ["web/auth/digest.py", "tool.py"]),
        ("import web.models as m\n", ["web/models.py"]),
        ("def f():\n    from web.models import Request\n", ["web/models.py"]),
        ("import os\nfrom json import loads\n", []),
        ("from .client import itself\n", []),
        ("from ....far import away\n", []),
        ("from web import\n", ["web/__init__.py"]),
        ("import web.models\nfrom .models import Request\n", ["web/models.py"]),
        ("x = 'import tool'\n", []),
    ],
)  # fmt: skip
def test_python(text, files):
    assert imported("web/client.py", text, PYTHON) == files


def test_packages_may_lie_in_a_folder_above():
    paths = {"src/web/models.py", "src/web/client.py"}
    assert imported("src/web/client.py", "from web.models import Request\n", paths) == ["src/web/models.py"]


SCRIPTS = {"src/app.ts", "src/math.ts", "src/ui/index.tsx", "src/old.js", "shared.mjs"}


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ('import { hypot } from "./math";\n', ["src/math.ts"]),
        ("import { hypot } from './math.js';\n", ["src/math.ts"]),
        ("export * from './ui'\n", ["src/ui/index.tsx"]),
        ("const old = require('./old');\n", ["src/old.js"]),
        ("import '../shared.mjs';\n", ["shared.mjs"]),
        ("const late = await import('./old.js');\n", ["src/old.js"]),
        ("import React from 'react';\n", []),
        ("import away from '../../far';\n", []),
    ],
)
def test_scripts(text, files):
    assert imported("src/app.ts", text, SCRIPTS) == files


def test_other_languages_import_nothing():
    assert imported("main.go", 'import "./math"\n', {"math.go", "math.ts"}) == []
