"""A denoiser that knows what it wants to write, and how sure it is of each token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

VOCABULARY = 50


class Scripted:
    """Proposes `wanted` (id, confidence) for its positions; counts its passes and keeps the canvases it saw."""

    def __init__(self, wanted: Sequence[tuple[int, float]]) -> None:
        self.wanted = wanted
        self.seen: list[list[int]] = []

    def __call__(self, ids: Tensor) -> Tensor:
        self.seen.append(ids.tolist())
        return probabilities(self.wanted[: len(ids)])


def probabilities(wanted: Sequence[tuple[int, float]]) -> Tensor:
    rows = torch.zeros(len(wanted), VOCABULARY)
    for row, (token, confidence) in zip(rows, wanted, strict=True):
        row[:] = (1 - confidence) / (VOCABULARY - 1)
        row[token] = confidence
    return rows
