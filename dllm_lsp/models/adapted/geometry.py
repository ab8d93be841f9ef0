"""Where every token stands when an adapted causal model infills: streams, their heads and their positions.

The code around a hole is read as streams that do not see each other. Each begins with a sink, which gives attention a
place to rest, and a mark of its kind. They lie in front of the code before the hole, each in a range of its own, so
that every distance is one that the base has seen and no stream moves when another one grows:

    [snippets | lines below the hole | rest of the hole's last line | code before the hole, then the canvas]

Training and inference both take their geometry from here. Knows token ids, no text and no tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

SINK = 0
"""The first token of every stream: the base's end of a text, which begins its texts too."""

END = 0
"""The token behind the last one of a hole."""

HEAD = 2
"""Tokens at the head of a stream: sink and mark."""


class Kind(Enum):
    """A kind of stream: its mark, and how many positions one has, head included."""

    SNIPPET = (5, 192)
    BELOW = (4, 128)  # from the line break behind the hole's last line on
    REST = (3, 32)  # from the hole to the end of its last line, without the line break
    BEFORE = (6, 512)

    def __init__(self, mark: int, positions: int) -> None:
        self.mark, self.positions = mark, positions

    @property
    def room(self) -> int:
        """Tokens of text that a stream of this kind holds."""
        return self.positions - HEAD


SNIPPETS = 3
"""Ranges of positions that are kept for snippets."""

_FIRST = {
    Kind.SNIPPET: 0,
    Kind.BELOW: SNIPPETS * Kind.SNIPPET.positions,
    Kind.REST: SNIPPETS * Kind.SNIPPET.positions + Kind.BELOW.positions,
    Kind.BEFORE: SNIPPETS * Kind.SNIPPET.positions + Kind.BELOW.positions + Kind.REST.positions,
}

CANVAS = 64
"""Most tokens of a hole, the end not counted."""

POSITIONS = _FIRST[Kind.BEFORE] + Kind.BEFORE.positions + CANVAS + 1
"""Positions in all."""


class Stream(NamedTuple):
    """Tokens at consecutive positions from `first` on."""

    ids: tuple[int, ...]
    first: int


def stream(kind: Kind, tokens: Sequence[int], number: int = 0) -> Stream:
    """Return the stream that holds `tokens`, as many as there is room for.

    Code before a hole keeps its last ones, everything else its first. `number` tells snippets apart.
    """
    assert 0 <= number < (SNIPPETS if kind is Kind.SNIPPET else 1)
    kept = tokens[-kind.room :] if kind is Kind.BEFORE else tokens[: kind.room]
    return Stream((SINK, kind.mark, *kept), _FIRST[kind] + number * kind.positions)


def geometry() -> dict[str, Any]:
    """Return all of this as JSON: what an adapter was trained with must be what it is used with."""
    kinds = {kind.name.lower(): {"mark": kind.mark, "positions": kind.positions} for kind in Kind}
    return {"sink": SINK, "end": END, "head": HEAD, "snippets": SNIPPETS, "canvas": CANVAS, "streams": kinds}
