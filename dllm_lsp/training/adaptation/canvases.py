"""The canvas rows of one hole: which tokens they show, what they see of each other, and what they shall predict.

Clean rows hold the last known token and the hole, read causally: every row predicts the next token. A block begins
with a copy of a known token, and holds masks from there on; its rows see each other in both directions and predict
the next token too. Knows ids, no text and no tensors.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from dllm_lsp.models.adapted.geometry import END
from dllm_lsp.training.adaptation.network import MASK

_WIDTHS = (4, 8, 12, 16, 24, 32, 48, 64)
_AT_THE_START = 0.5  # blocks that begin with the last known token
_SHOWING = 0.35  # blocks that show tokens further right
_MOST_SHOWN = 0.6
_WRONG = 0.1  # shown tokens that are not the true ones
_NEARBY = 0.7  # wrong ones that stand near the hole
_SHOWN_WEIGHT = 0.3
_FADING = 0.75  # weight of a target per position that it is further from what is known
_LEAST_WEIGHT = 0.1


class Target(NamedTuple):
    """Row number `row` shall predict `token`. distance: positions from a known token, 0 in clean rows, -1 if shown."""

    row: int
    token: int
    weight: float
    distance: int


class Canvas(NamedTuple):
    """Rows of a hole: `clean` ones, then the block. Offsets count positions from the last known token.

    `known` clean rows stand before the block's first one: those are what the block sees.
    """

    ids: list[int]
    offsets: list[int]
    clean: int
    known: int
    targets: list[Target]


def clean_canvas(last: int, hole: Sequence[int]) -> Canvas:
    """Return the rows that read a hole causally behind the last known token, no block."""
    whole = [*hole, END]
    targets = [Target(row, token, 1.0, 0) for row, token in enumerate(whole)]
    return Canvas([last, *hole], list(range(len(whole))), len(whole), 0, targets)


def canvas(last: int, hole: Sequence[int], most: int, nearby: Sequence[int], rng: random.Random) -> Canvas:
    """Return clean rows and a block of at most `most` rows; `nearby` are ids that wrong tokens are taken from."""
    ids, offsets, clean, _, targets = clean_canvas(last, hole)
    whole = [*hole, END]
    known = 0 if rng.random() < _AT_THE_START else rng.randint(0, len(hole))
    width = rng.choice([width for width in _WIDTHS if width <= most])
    rate = rng.random() * _MOST_SHOWN if rng.random() < _SHOWING else 0.0
    block = [ids[known]]
    shown = [True]
    for row in range(1, width):
        at = known + row - 1
        shown.append(at < len(whole) and rng.random() < rate * (1 - row / width))
        token = whole[at] if shown[row] else MASK
        if shown[row] and rng.random() < _WRONG:
            token = rng.choice(nearby) if rng.random() < _NEARBY else rng.randrange(max(nearby) + 1)
        block.append(token)
    distance = 0
    for row in range(min(width, len(whole) - known)):
        distance = 1 if shown[row] else distance + 1
        if shown[row + 1 : row + 2] == [True]:
            target = Target(clean + row, whole[known + row], _SHOWN_WEIGHT, -1)
        else:
            weight = max(_LEAST_WEIGHT, _FADING ** (distance - 1))
            target = Target(clean + row, whole[known + row], weight, distance)
        targets.append(target)
    return Canvas(ids + block, offsets + list(range(known, known + width)), clean, known, targets)
