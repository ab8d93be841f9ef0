"""Text in which a model got stuck. Knows nothing but the text and its line."""

from __future__ import annotations

from itertools import pairwise

_TIMES = 4
_UNIT_SIZES = range(3, 65)


def without_repeated_line(text: str, head: str) -> str:
    """Return the beginning of `text`, written behind `head`, up to a line that equals the one before it.

    Of a hundred thousand consecutive lines that people wrote, twenty do. Blank lines may.
    """
    lines = (head + text).split("\n")
    for number, (line, following) in enumerate(pairwise(lines), start=1):
        if following.strip() and following.rstrip() == line.rstrip():
            return "\n".join(lines[:number])[len(head) :]
    return text


def is_stuck(text: str) -> bool:
    """Return whether `text` ends with four copies of a unit that holds a letter ("0, 0, 0, 0" is data)."""
    return any(
        text.endswith(unit * _TIMES)
        for unit in (text[-size:] for size in _UNIT_SIZES if size * _TIMES <= len(text))
        if any(map(str.isalpha, unit))
    )
