"""Cross-entropy of a linear head without the logits of all positions at once, the largest tensors of a step.

A slice of positions at a time; the gradients are computed on the way, while the slice's logits are at hand.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_CPU_LOGITS, _GPU_LOGITS = 2**19, 2**28
"""How many logits a slice has: few enough for a CPU's cache, enough to fill a GPU."""


def weighted_cross_entropy(hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the sum of weights [n] times the cross-entropies, in nats, of targets [n] under hidden [n, w] @ head.T.

    `head` is [vocabulary, w]. Gradients reach hidden and head only, and cannot be differentiated again.
    """
    loss: Tensor = _WeightedCrossEntropy.apply(hidden, head, targets, weights)  # type: ignore[no-untyped-call]
    return loss


class _WeightedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """See `weighted_cross_entropy`."""
        size = max(1, (_GPU_LOGITS if hidden.is_cuda else _CPU_LOGITS) // len(head))
        if torch.is_autocast_enabled(hidden.device.type):
            hidden, head = (x.to(torch.get_autocast_dtype(hidden.device.type)) for x in (hidden, head))
        loss = torch.zeros((), device=hidden.device)
        hidden_gradient, head_gradient = torch.empty_like(hidden), torch.zeros_like(head, dtype=torch.float32)
        for start in range(0, len(hidden), size):
            part = slice(start, start + size)
            log_shares = (hidden[part] @ head.T).float().log_softmax(-1)
            chosen = targets[part, None]
            loss -= weights[part] @ log_shares.gather(-1, chosen)[:, 0]
            share = log_shares.exp_()  # minus one at the target: the gradient of the logits
            share.scatter_add_(-1, chosen, share.new_full(chosen.shape, -1.0)).mul_(weights[part, None])
            share = share.to(head.dtype)
            torch.mm(share, head, out=hidden_gradient[part])
            head_gradient += share.T @ hidden[part]
        ctx.save_for_backward(hidden_gradient, head_gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Scale what `forward` has computed."""
        hidden_gradient, head_gradient = ctx.saved_tensors
        return hidden_gradient * gradient, head_gradient * gradient, None, None
