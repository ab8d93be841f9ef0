"""The copy head: what is written may be a token of the context, written again.

Each position that is written looks for places in the context that are like its own, and copies what followed there. So
a token of the context is found through the token to its left. That is the neural cache of Grave et al. (2017,
arXiv:1612.04426) with learned queries and keys, and the gate of See et al. (2017, arXiv:1704.04368) says how likely
anything is copied. A small network finds names in its context long before it could learn them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COPY_WIDTH = 64
"""Width of the queries and keys."""

_HIDDEN = -1e4  # finite, so that a row without anything to copy has no NaN
_LEAST = 1e-38  # of a probability, so that its logarithm is finite


class Sources(NamedTuple):
    """What N positions of B rows may copy: K tokens, each by the key of the token left of it.

    keys [B, K, COPY_WIDTH], ids [B, K]. `distance`, broadcast to [B, N, K], counts tokens from 1; 0 or less means that
    the position does not see the source. `before` [B, K] is true for code before the position, false for code after.
    """

    keys: Tensor
    ids: Tensor
    distance: Tensor
    before: Tensor


class CopyHead(nn.Module):
    """Mixes the distribution of the vocabulary's head with one over the tokens of the context."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, COPY_WIDTH, bias=False)
        self.key = nn.Linear(width, COPY_WIDTH, bias=False)
        self.gate = nn.Linear(width, 1)
        self.recency = nn.Parameter(torch.full((2,), 0.3))
        for projection in (self.query, self.key):
            nn.init.normal_(projection.weight, std=width**-0.5)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, -2.0)

    def log_probabilities(self, hidden: Tensor, logits: Tensor, sources: Sources) -> Tensor:
        """Return the log-probabilities [B, N, vocabulary] of hidden states [B, N, width] with their head's logits."""
        own = logits.float().softmax(-1)
        if sources.ids.shape[1]:
            scores, copied, kept = self._read(hidden, sources)
            shares = scores.softmax(-1) * copied.exp()[..., None]
            own *= kept.exp()[..., None]
            own.scatter_add_(-1, sources.ids[:, None].expand_as(shares), shares)
        return own.clamp_(min=_LEAST).log_()

    def log_likelihoods(self, hidden: Tensor, targets: Tensor, sources: Sources) -> tuple[Tensor, Tensor]:
        """Return two logarithms [B, N]: of targets' [B, N] probabilities by copying, and of the other head's share.

        With the other head's log-likelihood `own` and its share `left`, the mixture's is logaddexp(own + left, copied).
        """
        scores, copied, kept = self._read(hidden, sources)
        other = (sources.ids[:, None] != targets[..., None]) | (sources.distance <= 0)
        found = scores.masked_fill(other, _HIDDEN).logsumexp(-1) - scores.logsumexp(-1) + copied
        return found.masked_fill(other.all(-1), _HIDDEN), kept

    def _read(self, hidden: Tensor, sources: Sources) -> tuple[Tensor, Tensor, Tensor]:
        """Return the scores [B, N, K], and the log-shares [B, N] of what is copied and of what is not."""
        hidden_away = sources.distance <= 0
        slope = torch.where(sources.before, self.recency[0], self.recency[1])
        far = slope[:, None] * sources.distance.clamp(min=1).float().log()
        scores = (self.query(hidden) * COPY_WIDTH**-0.5) @ sources.keys.transpose(-1, -2)
        scores = scores.float() - far.masked_fill(hidden_away, -_HIDDEN)
        gate = self.gate(hidden)[..., 0].float().masked_fill(hidden_away.all(-1), _HIDDEN)
        return scores, F.logsigmoid(gate), F.logsigmoid(-gate)
