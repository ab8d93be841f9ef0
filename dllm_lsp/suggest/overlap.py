"""Text that is there already must not be suggested again. Knows lines, no grammar."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dllm_lsp.infill.hole import Hole
from dllm_lsp.syntax.region import Region

_BEGINS_WORD = re.compile(r"\w")
_ENDS_IN_WORD = re.compile(r"\w\Z")


def without_tail(text: str, region: Region) -> str:
    """Return `text` without a copy of what follows the cursor on its line.

    A copy begins where a word may begin: "pas" before "s" holds none. A tail of closing brackets and quotes
    alone is left to `brackets`, which knows whether they are needed.
    """
    tail = region.tail.rstrip()
    copied = text.rstrip()
    if not tail.strip(" \t)]}\"'`") or not copied.endswith(tail):
        return text
    kept = copied.removesuffix(tail)
    ends_inside_word = _ENDS_IN_WORD.search(region.head + kept) and _BEGINS_WORD.match(tail)
    return text if ends_inside_word else kept


def repeats_neighbor(text: str, hole: Hole) -> bool:
    """Return whether the finished line would equal the next or the previous line that is not blank.

    Of a hundred thousand consecutive lines that people wrote, twenty are such copies.
    """
    above, _, head = hole.before.rpartition("\n")
    tail, _, below = hole.after.partition("\n")
    line = (head + text + tail).rstrip()
    return line in (_first(below.split("\n")), _first(reversed(above.split("\n"))))


def _first(lines: Iterable[str]) -> str:
    return next((line.rstrip() for line in lines if line.strip()), "")
