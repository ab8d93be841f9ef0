"""Acceptance policies: which of a step's proposals are committed to the canvas.

A policy is a pure function from confidences [..., canvas], the probability of each position's best token and 0
where nothing is masked, to the positions to accept. Every policy accepts at least one while a mask is left.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Policy = Callable[[Tensor], Tensor]

THRESHOLD = 0.9


def sequential(confidence: Tensor) -> Tensor:
    """Accept the most confident position alone: one token a step, the reference for quality."""
    best = confidence.argmax(-1, keepdim=True)
    return torch.zeros_like(confidence, dtype=torch.bool).scatter_(-1, best, True) & (confidence > 0)


def threshold(confidence: Tensor) -> Tensor:
    """Accept every position of at least THRESHOLD (Fast-dLLM: Wu et al. 2025, arXiv:2505.22618)."""
    return sequential(confidence) | (confidence >= THRESHOLD)


def everything(confidence: Tensor) -> Tensor:
    """Accept whatever is proposed: the last step of a budget."""
    return confidence > 0


POLICIES: dict[str, Policy] = {"sequential": sequential, "threshold": threshold}
