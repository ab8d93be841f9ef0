"""Prompt lookup (Saxena 2023): a text probably goes on as it did where its last tokens stood before."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 4
"""The most last tokens by which a place is found. One is enough: a wrong guess costs next to nothing."""


class Lookup:
    """Token sequences around a hole, the one before it last, and where in them any few tokens stand."""

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        """Take the sequences. Of places that agree alike one in a later sequence counts, or further right in one."""
        self._before = tuple(texts[-1])
        self._found = {
            tuple(text[end - size : end]): (text, end)
            for size in range(1, LONGEST + 1)
            for text in texts
            for end in range(size, len(text))
        }

    def after(self, written: Sequence[int], count: int) -> tuple[int, ...]:
        """Return up to `count` ids that probably follow what is `written` in the hole; none if nothing is found.

        Where most of the last tokens stand, they were followed by these.
        """
        last = (*self._before[-LONGEST:], *written)[-LONGEST:]
        for start in range(len(last)):
            if found := self._found.get(last[start:]):
                text, end = found
                return tuple(text[end : end + count])
        return ()
