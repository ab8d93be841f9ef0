"""Text that is there already must not be suggested again. Knows lines, no grammar."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dllm_lsp.infill.hole import Hole
from dllm_lsp.languages.lookup import language_of
from dllm_lsp.syntax.region import Region

_BEGINS_WORD = re.compile(r"\w")
_ENDS_IN_WORD = re.compile(r"\w\Z")


def without_tail(text: str, region: Region) -> str:
    """Return `text` up to where it begins to copy the tail, which is what follows the cursor on its line.

    A copy stands at the end of the first line of `text`, or at the end of the last. It does not begin inside a word:
    "pas" before a tail "s" holds none. A tail of nothing but closing brackets and quotes is left to `brackets`, which
    knows whether they are needed.
    """
    tail = region.tail.rstrip()
    if not tail.strip(f" \t{language_of(region.language).closing}"):
        return text
    for beginning in (text.partition("\n")[0], text):
        copied = beginning.rstrip()
        kept = copied.removesuffix(tail)
        ends_inside_word = _ENDS_IN_WORD.search(region.head + kept) and _BEGINS_WORD.match(tail)
        if copied.endswith(tail) and not ends_inside_word:
            return kept
    return text


def without_lines_below(text: str, hole: Hole) -> str:
    """Return `text` up to the first line that the document goes on with below the cursor.

    Only whole lines count, and the last also where it is the beginning of that line. Blank lines below are passed
    over. With code behind the cursor on its line, the text cannot end there.
    """
    tail, *lines_below = hole.after.split("\n")
    below = "" if tail.strip() else _first(lines_below)
    first, *others = text.split("\n")
    for number, line in enumerate(others, start=1):
        is_last = number == len(others)
        copied = line.rstrip()
        if copied and (copied == below or (is_last and below.startswith(copied))):
            return "\n".join([first, *others[: number - 1]])
    return text


def repeats_neighbor(text: str, hole: Hole) -> bool:
    """Return whether the finished lines repeat a neighbor: any of them the line below, or the first the line above.

    Blank lines are passed over; `text` is more than blanks. Of a hundred thousand consecutive lines that people wrote,
    twenty are such copies.
    """
    above, _, head = hole.before.rpartition("\n")
    tail, _, below = hole.after.partition("\n")
    finished = [line.rstrip() for line in (head + text + tail).split("\n") if line.strip()]
    return _first(below.split("\n")) in finished or _first(reversed(above.split("\n"))) == finished[0]


def _first(lines: Iterable[str]) -> str:
    return next((line.rstrip() for line in lines if line.strip()), "")
