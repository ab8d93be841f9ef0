"""Projects on disk for the tests of this room."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from dllm_lsp.context.window import hole_at
from dllm_lsp.infill.hole import Hole
from dllm_lsp.text.document import split_lines
from dllm_lsp.text.snapshot import Snapshot


def write(root: Path, files: Mapping[str, bytes | str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def git(root: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)


def no_git(root: Path) -> None:
    """A folder that is no work tree."""


def at_end(path: Path, text: str) -> tuple[Snapshot, Hole]:
    """The document with the cursor behind its text, and the hole there, whose context is next to nothing."""
    lines = split_lines(text)
    snapshot = Snapshot(path.as_uri(), 1, "python", tuple(lines), len(lines) - 1, len(lines[-1]))
    return snapshot, hole_at(snapshot, 20, 20)
