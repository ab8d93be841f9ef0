r"""An open document: lines that change, and snapshots of them.

Lines end as the Language Server Protocol says, at "\n", "\r\n" and "\r" and nowhere else. Knows no protocol
messages and no files.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO

from dllm_lsp.text.positions import Encoding, column_at, content_of, units_at
from dllm_lsp.text.snapshot import Snapshot


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A zero-based line and an offset within it, in units of the document's encoding."""

    line: int
    character: int


def split_lines(text: str) -> list[str]:
    """Return the lines with their ends; the last one has none and may be empty."""
    lines = StringIO(text, newline="").readlines()
    if not lines or lines[-1].endswith(("\n", "\r")):
        lines.append("")
    return lines


class Document:
    """A text document as the client last described it.

    `version` is the client's. Positions outside the document mean the nearest place inside it.
    """

    def __init__(self, uri: str, language: str, version: int | None, text: str, encoding: Encoding) -> None:
        self.uri = uri
        self.language = language
        self.version = version
        self._encoding = encoding
        self._lines = split_lines(text)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines as they are now, with their ends."""
        return tuple(self._lines)

    def replace_all(self, text: str) -> None:
        """Replace the whole text."""
        self._lines = split_lines(text)

    def replace(self, start: Position, end: Position, text: str) -> None:
        """Replace what lies between two positions, given in either order."""
        first, first_column = self.place(min(start, end))
        last, last_column = self.place(max(start, end))
        changed = self._lines[first][:first_column] + text + self._lines[last][last_column:]
        if first > 0 and self._lines[first - 1].endswith("\r"):
            first -= 1  # a "\n" that now follows belongs to that line's end
            changed = self._lines[first] + changed
        lines = split_lines(changed)
        if last + 1 < len(self._lines):
            lines.pop()  # the empty rest behind a line end is the next line
        self._lines[first : last + 1] = lines

    def snapshot(self, position: Position) -> Snapshot:
        """Return the document as it is now, with the cursor at `position`."""
        line, column = self.place(position)
        return Snapshot(self.uri, self.version, self.language, self.lines, line, column)

    def place(self, position: Position) -> tuple[int, int]:
        """Return the line and the code-point column nearest to a position."""
        if position.line >= len(self._lines):
            return len(self._lines) - 1, len(content_of(self._lines[-1]))
        line = max(position.line, 0)
        return line, column_at(self._lines[line], max(position.character, 0), self._encoding)

    def position(self, line: int, column: int) -> Position:
        """Return the position of a code-point column."""
        return Position(line, units_at(self._lines[line], column, self._encoding))
