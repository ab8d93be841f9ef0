"""The likelihood of a linear head without the logits of all positions at once, the largest tensors of a step.

A slice of positions at a time; the gradients are computed on the way, while the slice's logits are at hand.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_CPU_LOGITS, _GPU_LOGITS = 2**19, 2**28
"""How many logits a slice has: few enough for a CPU's cache, enough to fill a GPU."""


def weighted_likelihood(
    hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, others: Tensor
) -> Tensor:
    """Return the sum of weights [n] times logaddexp(own, others), where own [n] is the head's log-likelihood.

    That is, in nats, of targets [n] under hidden [n, width] @ head.T, with `head` [vocabulary, width]; `others` [n]
    is minus infinity where nothing else makes a target likelier. Gradients reach hidden, head and others, and cannot
    be differentiated again.
    """
    likelihood: Tensor = _WeightedLikelihood.apply(hidden, head, targets, weights, others)  # type: ignore[no-untyped-call]
    return likelihood


class _WeightedLikelihood(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, others: Tensor
    ) -> Tensor:
        """See `weighted_likelihood`."""
        size = max(1, (_GPU_LOGITS if hidden.is_cuda else _CPU_LOGITS) // len(head))
        if torch.is_autocast_enabled(hidden.device.type):
            hidden, head = (x.to(torch.get_autocast_dtype(hidden.device.type)) for x in (hidden, head))
        total = torch.zeros((), device=hidden.device)
        hidden_gradient, head_gradient = torch.empty_like(hidden), torch.zeros_like(head, dtype=torch.float32)
        others_gradient = torch.empty_like(others)
        for start in range(0, len(hidden), size):
            part = slice(start, start + size)
            log_shares = (hidden[part] @ head.T).float().log_softmax(-1)
            chosen = targets[part, None]
            own = log_shares.gather(-1, chosen)[:, 0]
            total += weights[part] @ torch.logaddexp(own, others[part])
            ours = weights[part] * torch.sigmoid(own - others[part])  # the gradient of `own`
            others_gradient[part] = weights[part] - ours
            share = log_shares.exp_().neg_()  # and one at the target: the gradient of `own` by the logits
            share.scatter_add_(-1, chosen, share.new_ones(chosen.shape)).mul_(ours[:, None])
            share = share.to(head.dtype)
            torch.mm(share, head, out=hidden_gradient[part])
            head_gradient += share.T @ hidden[part]
        ctx.save_for_backward(hidden_gradient, head_gradient, others_gradient)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, Tensor]:
        """Scale what `forward` has computed."""
        hidden_gradient, head_gradient, others_gradient = ctx.saved_tensors
        return hidden_gradient * gradient, head_gradient * gradient, None, None, others_gradient * gradient
