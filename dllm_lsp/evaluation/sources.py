"""Finished code to evaluate on: a folder of Python files, or a corpus file."""

from __future__ import annotations

from pathlib import Path

from dllm_lsp.languages.known import PYTHON
from dllm_lsp.languages.lookup import is_source
from dllm_lsp.training.files import SourceFile, read_files

_LARGEST_FILE = 1_000_000  # bytes; what is larger is data or generated


def read_sources(path: Path) -> list[SourceFile]:
    """Return the files of a corpus file, or the Python files below a folder, in a fixed order.

    Hidden folders, large files and files that are not UTF-8 are left out. Raises ValueError when nothing is left.
    """
    files = list(_below(path)) if path.is_dir() else read_files(path)
    if not any(file.text.strip() for file in files):
        raise ValueError(f"there is no Python code in {path}")
    return files


def _below(folder: Path) -> list[SourceFile]:
    files = []
    for file in sorted(file for file in folder.rglob("*") if is_source(file.name, PYTHON)):
        name = file.relative_to(folder)
        if any(part.startswith(".") for part in name.parts) or file.stat().st_size > _LARGEST_FILE:
            continue
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            continue
        files.append(SourceFile(name.as_posix(), PYTHON.name, text))
    return files
