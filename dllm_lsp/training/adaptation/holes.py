"""Where holes are cut that end on a given line: the places that people leave open.

The cursor stands at any character; the hole begins where healing puts it, and ends at any character too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from msgspec import Struct, structs

from dllm_lsp.models.adapted.healing import healed_start
from dllm_lsp.training.holes import Span

_BRACKETED = re.compile(r"""\(([^()\n]+)\)|\[([^\[\]\n]+)\]|\{([^{}\n]+)\}|"([^"\n]+)"|'([^'\n]+)'""")
_OPENING = (":", "{", "(", "[")
_BLOCK_LINES = 12


class HoleKinds(Struct, frozen=True, kw_only=True):
    """How often each kind of hole is cut, relative to the others; the names are those of the functions below."""

    rest_of_line: float = 0.45
    bracketed: float = 0.12
    line: float = 0.13
    lines: float = 0.15
    block: float = 0.07
    span: float = 0.08


def code_lines(text: str) -> list[Span]:
    """Return the lines of a text that are not blank, without their indentation."""
    return [Span(m.start(), m.end()) for m in re.finditer(r"[^\s](?:[^\n]*[^\s])?", text)]


def cut_holes(
    text: str, lines: Sequence[Span], last: int, rng: random.Random, *, count: int, kinds: HoleKinds
) -> list[Span]:
    """Return up to `count` different holes that end on `lines[last]`, each begun where healing puts it."""
    weights = structs.asdict(kinds)
    holes: dict[Span, None] = {}
    for kind in rng.choices(list(weights), list(weights.values()), k=count):
        cut = _CUTTERS[kind](text, lines, last, rng)
        if cut is not None:
            holes[Span(healed_start(text, cut.start), cut.end)] = None
    return list(holes)


def rest_of_line(text: str, lines: Sequence[Span], last: int, rng: random.Random) -> Span | None:
    """From anywhere in a line's code to its end, which may leave nothing to write."""
    start, end = lines[last]
    return Span(rng.randint(start + 1, end), end)


def line(text: str, lines: Sequence[Span], last: int, rng: random.Random) -> Span | None:
    """A line's code."""
    return lines[last]


def bracketed(text: str, lines: Sequence[Span], last: int, rng: random.Random) -> Span | None:
    """What stands between two brackets or quotes of a line, or its tail."""
    found = list(_BRACKETED.finditer(text, *lines[last]))
    if not found:
        return None
    match = rng.choice(found)
    start, end = match.span(match.lastindex or 0)
    return Span(start if rng.random() < 0.5 else rng.randint(start, end), end)


def span(text: str, lines: Sequence[Span], last: int, rng: random.Random) -> Span | None:
    """Any piece of a line's code."""
    start = rng.randint(*lines[last])
    return Span(start, rng.randint(start, lines[last].end))


def lines(text: str, lines: Sequence[Span], last: int, rng: random.Random) -> Span | None:
    """Two to four lines, the first one whole or from anywhere in it."""
    first = last - rng.randint(1, 3)
    if first < 0:
        return None
    start, end = lines[first]
    return Span(start if rng.random() < 0.5 else rng.randint(start, end), lines[last].end)


def block(text: str, lines: Sequence[Span], last: int, rng: random.Random) -> Span | None:
    """All that stands below the nearest line that opens something."""
    for first in range(last, max(0, last - _BLOCK_LINES), -1):
        if text[lines[first - 1].end - 1] in _OPENING:
            return Span(lines[first].start, lines[last].end)
    return None


_CUTTERS: dict[str, Callable[[str, Sequence[Span], int, random.Random], Span | None]] = {
    cutter.__name__: cutter for cutter in (rest_of_line, bracketed, line, lines, block, span)
}
