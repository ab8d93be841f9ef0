"""Columns of one line, in code points and in the units of the Language Server Protocol's encodings.

Knows a line's own end, no document. Text holds no lone surrogates.
"""

from __future__ import annotations

from enum import StrEnum


class Encoding(StrEnum):
    """How a client counts characters within a line (LSP `PositionEncodingKind`)."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"


_CODECS = {Encoding.UTF8: ("utf-8", 1), Encoding.UTF16: ("utf-16-le", 2), Encoding.UTF32: ("utf-32-le", 4)}


def content_of(line: str) -> str:
    """Return the line without its end."""
    return line.rstrip("\r\n")


def column_at(line: str, units: int, encoding: Encoding) -> int:
    """Return the code-point column of an offset of `units`.

    An offset behind the content is the content's end; one inside a character is that character's start.
    """
    content = content_of(line)[:units]  # a code point is at least one unit
    if content.isascii():
        return len(content)
    codec, width = _CODECS[encoding]
    return len(content.encode(codec)[: units * width].decode(codec, "ignore"))


def units_at(line: str, column: int, encoding: Encoding) -> int:
    """Return the offset, in units of `encoding`, of a code-point column."""
    codec, width = _CODECS[encoding]
    return len(line[:column].encode(codec)) // width
