"""Somebody types code into the middle of a file: the same code near the cursor, whatever the file's length.

The files are made of this package's own source, over and over. Knows no model and no server.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import dllm_lsp
from dllm_lsp.evaluation.typist import keys as keys_of
from dllm_lsp.text.document import Position, split_lines

_NEAR = 100  # lines around the cursor that every file has
_ABOVE = 50  # of them above it; those below are what can be typed


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file of so many lines, once the code at `cursor` that it lacks is typed."""

    lines: int
    text: str
    cursor: Position


def keystrokes(limit: int) -> list[str]:
    """Return what is typed, at most 50 lines of code; a line break comes with the indentation behind it."""
    text = "".join(_source()[_ABOVE:_NEAR]).removesuffix("\n")
    return keys_of(text)[:limit]


def open_file(lines: int, keys: list[str]) -> OpenFile:
    """Return a file of at least 100 lines into which `keys` are to be typed."""
    source = _source()
    padding = cycle(source[_NEAR:])
    extra = lines - _NEAR
    above = [*islice(padding, extra // 2), *source[:_ABOVE]]
    typed = 1 + "".join(keys).count("\n")
    below = [*source[_ABOVE + typed : _NEAR], *islice(padding, extra - extra // 2)]
    return OpenFile(lines, "".join([*above, "\n", *below]), Position(len(above), 0))


def _source() -> list[str]:
    files = sorted(Path(dllm_lsp.__file__).parent.rglob("*.py"))
    return [line for file in files for line in split_lines(file.read_text(encoding="utf-8")) if line]
