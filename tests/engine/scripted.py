"""A model that knows what it wants to write, and how sure it is of each token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dllm_lsp.engine.model import CanvasTokens

VOCABULARY = 50
MASK, DELETE, EXPAND = 0, 1, 2
DREAMON = CanvasTokens(mask=MASK, delete=DELETE, expand=EXPAND, forbidden=(MASK,))
TOKENS = DREAMON._replace(waits=True)

Wanted = Sequence[tuple[int, float]]
"""An id and how sure, for each position."""


class Scripted:
    """Proposes what it wants for each canvas's positions, and behind them its last wish; keeps the canvases it saw."""

    def __init__(self, *wanted: Wanted) -> None:
        self.wanted = wanted
        self.seen: list[list[list[int]]] = []

    def __call__(self, canvases: Sequence[Tensor]) -> list[Tensor]:
        """Return the logits [n, vocabulary] of canvases [n]."""
        self.seen.append([canvas.tolist() for canvas in canvases])
        return [
            logits([*row, *[row[-1]] * len(canvas)][: len(canvas)])[0]
            for row, canvas in zip(self.wanted, canvases, strict=True)
        ]


def logits(*wanted: Wanted) -> Tensor:
    """Return logits whose softmax over what is not forbidden is as sure as wanted, shorter rows padded."""
    result = torch.zeros(len(wanted), max(map(len, wanted)), VOCABULARY)
    for row, proposals in zip(result, wanted, strict=True):
        for position, (token, confidence) in zip(row, proposals, strict=False):
            position[:] = (1 - confidence) / (VOCABULARY - 2)
            position[token] = confidence
    return result.log()
