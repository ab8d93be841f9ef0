"""The code around the cursor that the model sees. Knows characters and lines, no tokens and no model.

The engine keeps what it encoded of the code before as a prefix from its start, and of the code after from its
end, so the far ends must stand still while a person types. They stand at line boundaries, chosen like the
marks of a ruler: of all lines that would leave between half and all of the budget, the one with the roundest
number. Lines above are numbered from the document's start and lines below from its end, so typing at the cursor
renumbers none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, takewhile

from dllm_lsp.infill.hole import Hole
from dllm_lsp.text.snapshot import Snapshot

_NEAR = 4096  # characters on either side: about a hundred lines


def hole_at(snapshot: Snapshot, before: int, after: int) -> Hole:
    """Return the code on both sides of the cursor, at most `before` and `after` characters of it.

    A side holds everything up to the document's edge where that fits, else at least half of its budget. All
    line ends become line feeds, which makes it shorter still. The cost depends on the budgets and on the
    length of the lines they reach, not on the size of the document.
    """
    count = len(snapshot.lines)
    above, unseen_above = _reach(_upward(snapshot), snapshot.line, before)
    below, unseen_below = _reach(_downward(snapshot), count - snapshot.line - 1, after)
    text_before = "".join(reversed(above))[unseen_above:]
    text_after = "".join(below)
    return Hole(
        before=_with_line_feeds(text_before),
        after=_with_line_feeds(text_after[: len(text_after) - unseen_below]),
        language=snapshot.language,
    )


def vicinity(snapshot: Snapshot) -> Hole:
    """Return the code next to the cursor, which a suggestion must fit, and by which it is known again."""
    return hole_at(snapshot, _NEAR, _NEAR)


def below_the_first(snapshot: Snapshot, characters: int) -> Snapshot:
    """Return the snapshot with the cursor below as many of the document's first lines as the budget holds.

    The code before every cursor above that one begins as the code before this one.
    """
    ends = accumulate(map(len, snapshot.lines))
    line = sum(1 for _ in takewhile(lambda end: end <= characters, ends))
    return replace(snapshot, line=min(line, len(snapshot.lines) - 1), column=0)


def _upward(snapshot: Snapshot) -> Iterator[str]:
    yield snapshot.lines[snapshot.line][: snapshot.column]
    for number in range(snapshot.line - 1, -1, -1):
        yield snapshot.lines[number]


def _downward(snapshot: Snapshot) -> Iterator[str]:
    yield snapshot.lines[snapshot.line][snapshot.column :]
    for number in range(snapshot.line + 1, len(snapshot.lines)):
        yield snapshot.lines[number]


def _reach(segments: Iterator[str], beyond: int, budget: int) -> tuple[list[str], int]:
    """Return the segments within reach, and how many characters at their far end are out of reach.

    `segments` go outward from the cursor, a part of its line first; `beyond` counts the lines after that one.
    """
    half = max(1, budget // 2)
    reached: list[str] = []
    taken = 0
    roundest, kept = 0, 0
    for segment in segments:
        reached.append(segment)
        taken += len(segment)
        if taken > budget:
            break
        if taken >= half and _roundness(beyond) > roundest:
            roundest, kept = _roundness(beyond), len(reached)
        beyond -= 1
    else:
        return reached, 0
    if kept:
        return reached[:kept], 0
    # No line boundary is left in the outer half of the budget: cut the long line at a multiple of that half,
    # counted from its far end.
    return reached, -(-(taken - budget) // half) * half


def _roundness(number: int) -> int:
    """Return the largest power of two that divides the number."""
    return number & -number


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
