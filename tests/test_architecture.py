"""The walls between the rooms."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_contracts_are_kept() -> None:
    """In a process of its own: the linter silences the loggers that it finds."""
    code = "import sys; from importlinter import cli; sys.exit(cli.lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["dllm_lsp.cli", "dllm_lsp.server"])
def test_the_editors_half_loads_no_network(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{'torch', 'numpy', 'tokenizers'}} & sys.modules.keys()))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert loaded.stdout.split() == []
