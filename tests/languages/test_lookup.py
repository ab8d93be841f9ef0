from __future__ import annotations

import subprocess
import sys

import pytest

from dllm_lsp.languages.known import JAVASCRIPT, KNOWN, PLAIN, PYTHON, TYPESCRIPT
from dllm_lsp.languages.language import Dialect, Language
from dllm_lsp.languages.lookup import id_of, is_code, is_source, language_of, written_in

DIALECTS = [(language, dialect) for language in KNOWN for dialect in language.dialects]


@pytest.mark.parametrize(("language", "dialect"), DIALECTS, ids=lambda each: getattr(each, "name", ""))
def test_what_an_editor_says_and_what_a_suffix_says_is_the_same(language: Language, dialect: Dialect) -> None:
    files = [f"src/app{suffix}" for suffix in dialect.suffixes]
    assert {language_of(id) for id in dialect.ids} | set(map(written_in, files)) == {language}
    assert {id_of(file) for file in files} == {dialect.id}
    assert {language.dialect(id) for id in dialect.ids} == {dialect}


def test_scripts_with_jsx_are_scripts() -> None:
    assert language_of("typescriptreact") is written_in("app.tsx") is TYPESCRIPT
    assert language_of("javascriptreact") is written_in("app.jsx") is JAVASCRIPT
    assert id_of("app.tsx") == "typescriptreact"


@pytest.mark.parametrize("path", ["README.md", "Makefile", "", "py", "a.py/b", ".py"])
def test_where_a_name_tells_nothing_the_language_is_plain(path: str) -> None:
    assert written_in(path) is PLAIN
    assert id_of(path) == "plaintext"


def test_an_unknown_id_is_plain() -> None:
    assert language_of("cobol") is PLAIN


def test_names_count_without_case() -> None:
    assert written_in("OLD.PY") is PYTHON


def test_code_is_what_models_learn() -> None:
    assert [path for path in ("a.py", "b.tsx", "c.hpp", "d.yaml", "e.txt") if is_code(path)] == [
        "a.py",
        "b.tsx",
        "c.hpp",
    ]


def test_declarations_are_no_sources() -> None:
    assert is_source("a.py", PYTHON)
    assert not is_source("a.pyi", PYTHON)
    assert not is_source("lib/A.D.TS", TYPESCRIPT)
    assert not is_source("a.js", TYPESCRIPT)


def test_a_dialect_of_another_language_is_the_first() -> None:
    assert PYTHON.dialect("rust") is PYTHON.dialects[0]


def test_knowing_languages_loads_no_parser() -> None:
    code = (
        "import sys, dllm_lsp.server.features, dllm_lsp.assist.autocomplete; "
        "print(*(name for name in sys.modules if name.startswith('tree_sitter')))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert loaded.stdout.split() == []
