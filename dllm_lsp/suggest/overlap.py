"""Text that is there already must not be suggested again. Knows lines, no grammar."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dllm_lsp.infill.hole import Hole
from dllm_lsp.languages.lookup import language_of
from dllm_lsp.syntax.region import Region

_WORD = re.compile(r"\w+")
_JOINT = re.compile(r"\w\Z")


def without_tail(text: str, region: Region) -> str:
    """Return `text` up to where it begins to copy the tail, which is what follows the cursor on its line.

    A copy of the whole tail stands at the end of the first line of `text`, or at the end of the last; a copy of its
    beginning only there. It does not begin inside a word: "pas" before a tail "s" holds none. Closing brackets alone
    are left to `brackets`, which knows whether they are needed.
    """
    tail = region.tail.rstrip()
    first = text.partition("\n")[0]
    kept = _without(tail, first.rstrip(), region)
    if kept is not None:
        return kept
    last = text.rstrip() if text.rstrip().endswith(tail) else text
    copies = (_without(tail[:length], last, region) for length in range(min(len(tail), len(last)), 0, -1))
    return next((kept for kept in copies if kept is not None), text)


def _without(copy: str, text: str, region: Region) -> str | None:
    """Return `text` without the `copy` that it ends with; None if it ends with none."""
    closers = "".join(language_of(region.language).closers.values())
    if not copy.strip(f" \t{closers}") or not text.endswith(copy):
        return None
    kept = text.removesuffix(copy)
    return None if joins(region.head + kept, copy) else kept


def joins(text: str, following: str) -> bool:
    """Return whether a word ends `text` and another begins what follows, so that both become one."""
    return bool(_JOINT.search(text) and _WORD.match(following))


def says_again(text: str, tail: str) -> bool:
    """Return whether all words of `text`, and there is one, are those that the tail begins with."""
    words = _WORD.findall(text)
    return bool(words) and _WORD.findall(tail)[: len(words)] == words


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


def copies_above(text: str, hole: Hole) -> bool:
    """Return whether the first lines of `text`, two at least, are those above the cursor once more."""
    *above, head = hole.before.split("\n")
    written, above = _code((head + text).split("\n")), _code(above)
    return any(written[:count] == above[-count:] for count in range(2, min(len(written), len(above)) + 1))


def repeats_neighbor(text: str, hole: Hole) -> bool:
    """Return whether the finished lines repeat a neighbor: any of them the line below, or the first the line above.

    Blank lines are passed over; `text` is more than blanks. Of a hundred thousand consecutive lines that people wrote,
    twenty are such copies.
    """
    above, _, head = hole.before.rpartition("\n")
    tail, _, below = hole.after.partition("\n")
    finished = _code((head + text + tail).split("\n"))
    return _first(below.split("\n")) in finished or _first(reversed(above.split("\n"))) == finished[0]


def _code(lines: Iterable[str]) -> list[str]:
    return [line.rstrip() for line in lines if line.strip()]


def _first(lines: Iterable[str]) -> str:
    return next((line.rstrip() for line in lines if line.strip()), "")
