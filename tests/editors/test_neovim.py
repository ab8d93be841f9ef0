"""Ghost text in a real Neovim: attached, shown, accepted, and in the buffer."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[2] / "editors/neovim"
DRIVER = Path(__file__).with_name("neovim_driver.lua")
INSTALLED = Path.home() / ".cache/dllm-lsp/neovim-0.12/bin/nvim"
LINE = "        self.height = h"
SOURCE = f"""\
class Rectangle:
    def __init__(self, width, height):
        self.width = width
{LINE}

    def area(self):
        return self.width * self.height
"""

Drive = Callable[[str], tuple[str, str]]


def version_of(program: str) -> tuple[int, int]:
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    version = re.match(r"NVIM v(\d+)\.(\d+)", asked.stdout)
    return (int(version[1]), int(version[2])) if version else (0, 0)


@pytest.fixture(scope="module")
def neovim() -> str:
    """The program of a Neovim that has inline completion; without one a skip, and in CI a failure."""
    for program in (os.environ.get("DLLM_LSP_NEOVIM"), str(INSTALLED), "nvim"):
        if program and shutil.which(program) and version_of(program) >= (0, 12):
            return program
    reason = "Neovim 0.12 was not found: run scripts/install_neovim, or name it in DLLM_LSP_NEOVIM"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Folders of its own for Neovim and for the engine, whose socket needs a short path."""
    own = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(prefix="dllm-", ignore_cleanup_errors=True) as runtime:
        yield {**os.environ, **own, "PATH": path, "XDG_RUNTIME_DIR": runtime}


@pytest.fixture
def drive(neovim: str, environment: dict[str, str], tmp_path: Path) -> Drive:
    """Runs the driver in Neovim for one act; returns the ghost text shown and the buffer at the end."""

    def run(act: str) -> tuple[str, str]:
        file, result = tmp_path / "sums.py", tmp_path / "result.json"
        file.write_text(SOURCE)
        task = {
            "command": shlex.split(os.environ.get("DLLM_LSP_COMMAND", "")) or None,
            "settings": {"engine": {"linger": 1}, "suggest": {"confidence": 0}},
            "file": str(file),
            "line": SOURCE.split("\n").index(LINE) + 1,
            "act": act,
            "result": str(result),
        }
        editor = subprocess.run(
            [neovim, "--clean", "--headless", "--cmd", f"set rtp^={PLUGIN}", "-S", DRIVER],
            env={**environment, "DLLM_LSP_DRIVER": json.dumps(task)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        log = "\n".join(file.read_text() for file in tmp_path.glob("STATE/**/lsp.log"))
        assert result.exists(), f"{editor.stderr}\n{log}"
        outcome = json.loads(result.read_text())
        assert "error" not in outcome, f"{outcome}\n{editor.stderr}\n{log}"
        return outcome["ghost"], "\n".join(outcome["lines"]) + "\n"

    return run


@pytest.mark.editor
def test_accepted_ghost_text_is_in_the_buffer(drive: Drive) -> None:
    ghost, buffer = drive("accept")
    assert ghost.strip()
    assert buffer == SOURCE.replace(LINE, LINE + ghost)


@pytest.mark.editor
def test_ghost_text_that_no_longer_fits_is_gone(drive: Drive) -> None:
    _, buffer = drive("contradict")
    assert buffer == SOURCE.replace(LINE, LINE + "@@")
