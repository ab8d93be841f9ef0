"""Where holes are cut: the places in finished code that a person would have left open.

Cut at character level, so that a hole may begin and end inside a word, as a cursor does.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct, structs

_BRACKETED = re.compile(r"""\(([^()\n]+)\)|\[([^\[\]\n]+)\]|\{([^{}\n]+)\}|"([^"\n]+)"|'([^'\n]+)'""")


class HoleKinds(Struct, frozen=True, kw_only=True):
    """How often each kind of hole is cut, relative to the others; the names are those of the functions below."""

    rest_of_line: float = 0.4
    line: float = 0.25
    bracketed: float = 0.1
    span: float = 0.1
    block: float = 0.15


class Span(NamedTuple):
    """Characters [start, end) of a text."""

    start: int
    end: int


def cut_holes(text: str, rng: random.Random, count: int, kinds: HoleKinds) -> list[Span]:
    """Return at most `count` disjoint holes of `text`, in order."""
    lines = [Span(m.start(), m.end()) for m in re.finditer(r"[^\n]*\S[^\n]*", text)]
    if not lines:
        return []
    holes: list[Span] = []
    weights = structs.asdict(kinds)
    tries = rng.choices(list(weights), list(weights.values()), k=2 * count)  # some collide or fit nowhere
    for hole in (_CUTTERS[kind](text, lines, rng) for kind in tries):
        if hole is not None and all(hole.end < h.start or h.end < hole.start for h in holes):
            holes.append(hole)
        if len(holes) == count:
            break
    return sorted(holes)


def _indented(text: str, line: Span) -> int:
    """Where the line's code starts."""
    return line.start + len(text[line.start : line.end]) - len(text[line.start : line.end].lstrip())


def rest_of_line(text: str, lines: list[Span], rng: random.Random) -> Span | None:
    """From anywhere in a line's code to its end, which may leave nothing to write."""
    line = rng.choice(lines)
    return Span(rng.randint(_indented(text, line) + 1, line.end), line.end)


def line(text: str, lines: list[Span], rng: random.Random) -> Span | None:
    """A whole line: behind its indentation, from its start, or from there to the start of the next."""
    return _whole(text, rng.choice(lines), rng)


def _whole(text: str, lines: Span, rng: random.Random) -> Span:
    start = rng.choice([_indented(text, lines), lines.start])
    behind = start == lines.start and lines.end < len(text) and rng.random() < 0.5
    return Span(start, lines.end + behind)


def bracketed(text: str, lines: list[Span], rng: random.Random) -> Span | None:
    """What stands between two brackets or quotes of a line, or its tail."""
    whole = rng.choice(lines)
    found = list(_BRACKETED.finditer(text, whole.start, whole.end))
    if not found:
        return None
    match = rng.choice(found)
    start, end = match.span(match.lastindex or 0)
    return Span(start if rng.random() < 0.5 else rng.randint(start, end), end)


def span(text: str, lines: list[Span], rng: random.Random) -> Span | None:
    """Any piece of a line's code."""
    whole = rng.choice(lines)
    start = rng.randint(_indented(text, whole), whole.end)
    return Span(start, rng.randint(start, whole.end))


def block(text: str, lines: list[Span], rng: random.Random) -> Span | None:
    """Two or three lines, whole or from anywhere in the first."""
    first = rng.randrange(len(lines))
    last = min(first + rng.randint(1, 2), len(lines) - 1)
    if last == first:
        return None
    if rng.random() < 0.5:
        return _whole(text, Span(lines[first].start, lines[last].end), rng)
    return Span(rng.randint(_indented(text, lines[first]), lines[first].end), lines[last].end)


_CUTTERS: dict[str, Callable[[str, list[Span], random.Random], Span | None]] = {
    cutter.__name__: cutter for cutter in (rest_of_line, line, bracketed, span, block)
}
