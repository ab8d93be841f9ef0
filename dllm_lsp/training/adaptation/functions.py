"""Operations with gradients of their own, so that a step on a CPU spends its time in matrix products.

They know tensors only. N counts packed rows, R the rows of a group, S what these attend to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

_LOGIT_ROWS = 64  # rows of logits at a time: 12 MB of them stay in a processor's cache


class Group(NamedTuple):
    """Rows that attend to the same context: rows [start, end) of the packed canvas rows.

    context: int64 [C], the packed context rows that they see; bias: [R, C + R], 0 where a row may look and -inf where
    it may not, own rows last.
    """

    start: int
    end: int
    context: Tensor
    bias: Tensor


class _Adapted(Function):
    """x @ merged.T, whose gradient goes to the low-rank factors that are already merged into the matrix.

    merged = base + [B_1 A_1; B_2 A_2; ...], so the product is one; the factors' gradients need thin products only.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, merged: Tensor, *factors: Tensor) -> Tensor:
        ctx.save_for_backward(x, merged, *factors)
        return functional.linear(x, merged)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, merged, *factors = ctx.saved_tensors
        down, up = factors[0::2], factors[1::2]
        read = functional.linear(x, torch.cat(list(down)).to(x.dtype))  # A x, all parts at once
        rank, at = down[0].shape[0], 0
        passed, found_up = [], []
        for number, factor in enumerate(up):
            own = gradient[:, at : at + factor.shape[0]]
            passed.append(own @ factor.to(x.dtype))
            found_up.append((own.T @ read[:, number * rank : (number + 1) * rank]).to(factor.dtype))
            at += factor.shape[0]
        found_down = (torch.cat(passed, 1).T @ x).to(factors[0].dtype).split(rank)
        pairs = [found for pair in zip(found_down, found_up, strict=True) for found in pair]
        return gradient @ merged, None, *pairs


def adapted(x: Tensor, merged: Tensor, factors: list[Tensor]) -> Tensor:
    """Return x [N, in] times a merged matrix [out, in]; `factors` are A_1, B_1, A_2, B_2, ..., which get gradients."""
    return _Adapted.apply(x, merged, *factors)  # type: ignore[no-any-return, no-untyped-call]


class _GatedUnit(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        gate, up = x.chunk(2, -1)
        return functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        gate, up = ctx.saved_tensors[0].chunk(2, -1)
        found = torch.empty_like(ctx.saved_tensors[0])
        by_gate, by_up = found.chunk(2, -1)
        torch.mul(gradient, functional.silu(gate), out=by_up)
        by_gate.copy_(torch.ops.aten.silu_backward(gradient * up, gate))
        return found


def gated_unit(x: Tensor) -> Tensor:
    """Return silu(gate) * up of x = [gate | up], [N, 2 * inner] -> [N, inner] (Shazeer 2020)."""
    return _GatedUnit.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def rotated(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate the halves of heads [N, heads, width] by angles [N, 1, width / 2]; no gradient."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], -1).to(x.dtype)


class _Attention(Function):
    @staticmethod
    def forward(
        ctx: Any,
        qkv: Tensor,
        context: tuple[Tensor, Tensor],
        angles: tuple[Tensor, Tensor],
        groups: list[Group],
    ) -> Tensor:
        keys, values = context
        key_heads, _, width = keys.shape
        rows = qkv.view(qkv.shape[0], -1, width)
        heads = rows.shape[1] - 2 * key_heads
        turned = rotated(rows[:, : heads + key_heads], *angles)
        queries = (turned[:, :heads] * width**-0.5).unflatten(1, (key_heads, -1)).permute(1, 2, 0, 3)
        own_keys, own_values = turned[:, heads:].transpose(0, 1), rows[:, heads + key_heads :].transpose(0, 1)
        result = qkv.new_empty(rows.shape[0], heads, width)
        saved = []
        for start, end, seen, bias in groups:
            q = queries[:, :, start:end].reshape(key_heads, -1, width)
            k = torch.cat([keys.index_select(1, seen), own_keys[:, start:end]], 1)
            v = torch.cat([values.index_select(1, seen), own_values[:, start:end]], 1)
            scores = torch.bmm(q, k.transpose(1, 2))
            scores.view(key_heads, -1, end - start, k.shape[1]).add_(bias)
            shares = scores.softmax(-1)
            found = torch.bmm(shares, v).view(key_heads, -1, end - start, width)
            result[start:end] = found.permute(2, 0, 1, 3).flatten(1, 2)
            saved += [q, k, v, shares]
        ctx.save_for_backward(*angles, *saved)
        ctx.groups, ctx.heads = groups, heads
        return result.flatten(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        cosines, sines, *saved = ctx.saved_tensors
        key_heads, _, width = saved[0].shape
        heads = ctx.heads
        rows = gradient.view(gradient.shape[0], key_heads, -1, width).permute(1, 2, 0, 3)
        turned = gradient.new_empty(gradient.shape[0], heads + key_heads, width)
        values = gradient.new_empty(gradient.shape[0], key_heads, width)
        for number, (start, end, seen, _) in enumerate(ctx.groups):
            q, k, v, shares = saved[4 * number : 4 * number + 4]
            own = len(seen)
            g = rows[:, :, start:end].reshape(key_heads, -1, width)
            by_share = torch.bmm(g, v.transpose(1, 2))
            by_score = torch._softmax_backward_data(by_share, shares, -1, shares.dtype)
            by_query = torch.bmm(by_score, k).view(key_heads, -1, end - start, width)
            turned[start:end, :heads] = by_query.permute(2, 0, 1, 3).flatten(1, 2)
            turned[start:end, heads:] = torch.bmm(by_score[..., own:].transpose(1, 2), q).transpose(0, 1)
            values[start:end] = torch.bmm(shares[..., own:].transpose(1, 2), g).transpose(0, 1)
        turned[:, :heads] *= width**-0.5
        found = torch.cat([rotated(turned, cosines, -sines), values], 1)
        return found.flatten(1), None, None, None


def attention(
    qkv: Tensor, context: tuple[Tensor, Tensor], angles: tuple[Tensor, Tensor], groups: list[Group]
) -> Tensor:
    """Attend from canvas rows to their context and to each other, group by group: [N, heads * head_width].

    qkv: [N, (heads + 2 * key_heads) * head_width], not yet rotated; context: keys, already rotated, and values,
    [key_heads, rows, head_width], no gradient; angles: cosines and sines [N, 1, head_width / 2].
    """
    return _Attention.apply(qkv, context, angles, groups)  # type: ignore[no-any-return, no-untyped-call]


class Outcome(NamedTuple):
    """What a head says of T targets: the weighted sum of nats, which has a gradient; nats and best tokens, [T]."""

    loss: Tensor
    nats: Tensor
    best: Tensor


class _CrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        found = torch.empty_like(hidden)
        nats, best = torch.empty_like(weights), torch.empty_like(targets)
        for at in range(0, len(targets), _LOGIT_ROWS):
            part = slice(at, at + _LOGIT_ROWS)
            logits = functional.linear(hidden[part], head).float()
            best[part] = logits.argmax(-1)
            shares = logits.log_softmax(-1)
            wanted = targets[part, None]
            nats[part] = -shares.gather(1, wanted)[:, 0]
            shares.exp_().scatter_add_(1, wanted, shares.new_full(wanted.shape, -1.0))
            found[part] = shares.mul_(weights[part, None]).to(head.dtype) @ head
        ctx.save_for_backward(found)
        ctx.mark_non_differentiable(nats, best)
        return (nats * weights).sum(), nats, best

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (found,) = ctx.saved_tensors
        return found * gradients[0].to(found.dtype), None, None, None


def cross_entropy(hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> Outcome:
    """Compare hidden rows [T, width] with targets [T] through a frozen head [vocabulary, width], a few rows at a time.

    weights: float32 [T].
    """
    return Outcome(*_CrossEntropy.apply(hidden, head, targets, weights))  # type: ignore[no-untyped-call]
