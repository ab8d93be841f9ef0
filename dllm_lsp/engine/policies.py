"""Acceptance policies: which of a step's proposals are committed to the canvas.

A policy is a pure function from `Proposals` to the positions [rows, canvas] to accept. It judges each row by
itself, accepts only open positions, and at least one while a row has any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

THRESHOLD = 0.9


@dataclass(frozen=True, slots=True)
class Proposals:
    """What one pass proposes at every position [rows, canvas]: its best token, and the probability of that.

    `open` is true for the masks that a policy may choose from.
    """

    probabilities: Tensor
    confidence: Tensor
    token: Tensor
    open: Tensor

    @classmethod
    def of(cls, logits: Tensor, open_: Tensor) -> Proposals:
        """Return what logits [rows, canvas, vocabulary] propose."""
        probabilities = logits.softmax(-1)
        confidence, token = probabilities.max(-1)
        return cls(probabilities, confidence, token, open_)

    @property
    def entropy(self) -> Tensor:
        """Every position's entropy in nats, [rows, canvas]."""
        entropy: Tensor = torch.special.entr(self.probabilities).sum(-1)
        return entropy


Policy = Callable[[Proposals], Tensor]


def sequential(proposals: Proposals) -> Tensor:
    """Accept the most confident position alone: one token a step, the reference for quality.

    With one token a step this is low-confidence remasking (LLaDA: Nie et al. 2025, arXiv:2502.09992).
    """
    confidence = proposals.confidence.where(proposals.open, -1.0)
    best = confidence.argmax(-1, keepdim=True)
    return torch.zeros_like(proposals.open).scatter_(-1, best, True) & proposals.open


def threshold(proposals: Proposals, least: float = THRESHOLD) -> Tensor:
    """Accept every confidence of at least `least` (Fast-dLLM: Wu et al. 2025, arXiv:2505.22618)."""
    return sequential(proposals) | (proposals.open & (proposals.confidence >= least))


def frechet(proposals: Proposals, least: float = 0.25) -> Tensor:
    """Accept the n most confident whose joint probability is bounded high enough, whatever their dependence.

    The largest n with c_1 + ... + c_n - (n - 1) - (1 - c_n) > least, confidences sorted downwards: the lower
    Frechet bound of the probability that all of them are right, less what the least sure adds (Fast-dLLM++).
    """
    confidence = proposals.confidence.where(proposals.open, 0.0)
    ordered, order = confidence.sort(dim=-1, descending=True, stable=True)
    doubt = (1 - ordered).cumsum(-1) + (1 - ordered)
    return sequential(proposals) | (_in_place(1 - doubt > least, order) & proposals.open)


def entropy_bound(proposals: Proposals, bound: float = 0.1) -> Tensor:
    """Accept the k least uncertain positions whose joint error is bounded (EB-Sampler: Ben-Hamu et al. 2025).

    The largest k with H_1 + ... + H_k - H_k <= bound, entropies sorted upwards, arXiv:2505.24857.
    """
    entropy = proposals.entropy.where(proposals.open, float("inf"))
    ordered, order = entropy.sort(dim=-1, stable=True)
    return _in_place(ordered.cumsum(-1) - ordered <= bound, order) & proposals.open


def everything(proposals: Proposals) -> Tensor:
    """Accept whatever is proposed: the last step of a budget."""
    return proposals.open


def _in_place(chosen: Tensor, order: Tensor) -> Tensor:
    """Return which positions are chosen. `chosen` says it for positions in sorted order, `order` names these."""
    return torch.zeros_like(chosen).scatter_(-1, order, chosen)
