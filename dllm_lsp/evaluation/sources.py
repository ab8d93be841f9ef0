"""Finished code to evaluate on: a folder of files, or a corpus file."""

from __future__ import annotations

from pathlib import Path

from dllm_lsp.languages.known import PYTHON
from dllm_lsp.languages.language import Language
from dllm_lsp.languages.lookup import is_source, language_of
from dllm_lsp.training.files import SourceFile, read_files

_LARGEST_FILE = 1_000_000  # bytes; what is larger is data or generated


def read_sources(path: Path, language: str = PYTHON.name) -> list[SourceFile]:
    """Return the files in a language, by its name, of a corpus file or below a folder, in a fixed order.

    Hidden folders, large files and files that are not UTF-8 are left out. Raises ValueError when nothing is left.
    """
    found = _below(path, language_of(language)) if path.is_dir() else read_files(path)
    files = [file for file in found if file.language == language and file.text.strip()]
    if not files:
        raise ValueError(f"there is no {language} code in {path}")
    return files


def _below(folder: Path, language: Language) -> list[SourceFile]:
    files = []
    for file in sorted(file for file in folder.rglob("*") if is_source(file.name, language)):
        name = file.relative_to(folder)
        if any(part.startswith(".") for part in name.parts) or file.stat().st_size > _LARGEST_FILE:
            continue
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            continue
        files.append(SourceFile(name.as_posix(), language.name, text))
    return files
