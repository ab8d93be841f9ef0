"""The span being written: tokens, masks and how sure each token was when it was accepted."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dllm_lsp.engine.policies import THRESHOLD, Policy
from dllm_lsp.models.tokenizer import Tokenizer


class Canvas(NamedTuple):
    """A canvas after some step: ids [length], probability of each [length], and that of its end, 0 to 1.

    A mask's probability is that of its best proposal so far. `end` is 0 while the canvas is as long as it began.
    """

    ids: Tensor
    probability: Tensor
    end: float

    @classmethod
    def masked(cls, length: int, device: torch.device) -> Canvas:
        """Return a canvas of nothing but masks."""
        ids = torch.full((length,), Tokenizer.mask, device=device)
        return cls(ids, torch.zeros(length, device=device), 0.0)

    @property
    def settled(self) -> bool:
        """Whether no mask is left."""
        return not bool((self.ids == Tokenizer.mask).any())

    def step(self, probabilities: Tensor, policy: Policy, sure: float = THRESHOLD) -> Canvas:
        """Commit what the policy accepts of one pass's probabilities [length, vocabulary].

        A *delete* that is accepted takes everything to its right with it. One of at least `sure` is accepted
        whatever the policy. Of the others only the leftmost mask's is put to the policy: its probability is that
        of the text ending there, while one further to the right says no more than that the text ends somewhere
        before, and the canvas would shrink to nothing, from the right, before a token is written.
        """
        best, proposal = probabilities.max(-1)
        masked = self.ids == Tokenizer.mask
        deleted = masked & (proposal == Tokenizer.delete)
        cut = _first(deleted & (best >= sure), len(masked))
        canvas = (
            self if cut == len(masked) else Canvas(self.ids[:cut], self.probability[:cut], float(best[cut]))
        )
        if cut == 0:
            return canvas  # the hole is empty
        best, proposal, masked, deleted = best[:cut], proposal[:cut], masked[:cut], deleted[:cut]
        leftmost = masked & (masked.cumsum(-1) == 1)
        accepted = policy(best * (masked & (leftmost | ~deleted)))
        ids = torch.where(accepted, proposal, canvas.ids)
        probability = torch.where(masked, best, canvas.probability)
        end = _first(accepted & deleted, cut)
        if end < cut:
            return Canvas(ids[:end], probability[:end], float(best[end]))
        return Canvas(ids, probability, canvas.end)


def _first(where: Tensor, otherwise: int) -> int:
    """Return the first true position, or `otherwise`."""
    found = where.nonzero()
    return int(found[0]) if len(found) else otherwise
