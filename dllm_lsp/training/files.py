"""Source files of a gathered corpus."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, json


class SourceFile(Struct, frozen=True):
    """One file: where it comes from, its LSP language id, its text with line feeds for line ends."""

    path: str
    language: str
    text: str


def read_files(path: Path) -> list[SourceFile]:
    """Read a JSON-lines file; raise ValueError with its name if it is none."""
    try:
        return json.Decoder(SourceFile).decode_lines(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not a corpus file: {error}") from error
