"""A document as it was when a request was read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snapshot:
    r"""An immutable document with a cursor.

    `lines` keep their own line ends ("\n", "\r\n" or "\r"; the last may have none, and is "" after a final
    line end), so `"".join(lines)` is the text. `line` and `column` are zero-based and valid; `column` counts
    code points and never stands behind the line end.
    """

    uri: str
    version: int | None
    language: str
    lines: tuple[str, ...]
    line: int
    column: int

    @property
    def line_end(self) -> str:
        """How the cursor's line ends, or the line above where that is the last; a line feed where there is none."""
        for line in reversed(self.lines[max(0, self.line - 1) : self.line + 1]):
            if end := line[len(line.rstrip("\r\n")) :]:
                return end
        return "\n"
