"""Where fetched models lie, and whether one is there as a whole.

Each has a folder in the user's data folder, never in a project, so that no file of a project can choose a model.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import platformdirs
from msgspec import Struct

RECORD = "MODEL"
"""The file that says what a folder holds; written last."""

LAYOUT = 1
"""Goes up when the same source is written otherwise; folders of another layout are fetched anew."""


class Record(Struct, frozen=True, kw_only=True):
    """What was written: from which GGUF (its SHA-256), and the size of every file in bytes."""

    layout: int
    source: str
    files: dict[str, int]


def fingerprint_of(source: str) -> str:
    """Return a SHA-256 that names weights on every machine, from that of the GGUF they were read from.

    What is made for them, such as an adapter, names it. The weights are not read.
    """
    return hashlib.sha256(f"{source} {LAYOUT}".encode()).hexdigest()


def folder(name: str) -> Path:
    """Return where the model of this name belongs, which may not exist."""
    return platformdirs.user_data_path("dllm-lsp", appauthor=False) / "models" / name


def installed(name: str) -> Path | None:
    """Return the folder of a model that is on this machine as a whole, else None."""
    here = folder(name)
    record = read_record(here)
    if record is None or record.layout != LAYOUT:
        return None
    try:
        is_whole = all((here / file).stat().st_size == size for file, size in record.files.items())
    except (OSError, ValueError):  # not there, or no name that a file can have
        return None
    return here if is_whole else None


def read_record(folder: Path) -> Record | None:
    """Return what a folder says it holds, None if it says nothing that can be read."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Record)
    except (OSError, ValueError):
        return None
