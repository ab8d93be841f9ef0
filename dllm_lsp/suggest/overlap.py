"""Text that is there already must not be suggested again. Knows lines, no grammar."""

from __future__ import annotations

from collections.abc import Iterable

from dllm_lsp.syntax.region import Region
from dllm_lsp.worker.messages import Hole


def without_tail(text: str, region: Region) -> str:
    """Return `text` without a copy of what follows the cursor on its line.

    A tail of closing brackets and quotes alone is left to `brackets`, which knows whether they are needed.
    """
    tail = region.tail.strip()
    if not tail.strip(")]}\"'`"):
        return text
    return text.rstrip().removesuffix(tail) if text.rstrip().endswith(tail) else text


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
