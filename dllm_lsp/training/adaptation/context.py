"""Streams read causally by the unchanged base: their keys and values in every layer, without gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dllm_lsp.models.adapted.geometry import Stream
from dllm_lsp.training.adaptation.base import Base, Layer
from dllm_lsp.training.adaptation.functions import rotated

_QUERIES = 128  # rows that attend at a time, so that few scores are computed that no row may see


class Context(NamedTuple):
    """Keys (rotated) and values of packed streams, of each layer: [key_heads, rows, head_width].

    spans: first row and end of each stream.
    """

    keys: list[Tensor]
    values: list[Tensor]
    spans: list[tuple[int, int]]


@torch.no_grad()
def read(base: Base, angles: tuple[Tensor, Tensor], streams: Sequence[Stream]) -> Context:
    """Read streams that do not see each other; `angles` as `models.adapted.base.rotary` gives them."""
    spans, at = [], 0
    for each in streams:
        spans.append((at, at + len(each.ids)))
        at += len(each.ids)
    ids = torch.tensor([i for each in streams for i in each.ids], device=base.device)
    positions = torch.cat([torch.arange(s.first, s.first + len(s.ids)) for s in streams]).to(base.device)
    turned = (angles[0][positions, None], angles[1][positions, None])
    x, keys, values = base.embedding[ids].float(), [], []
    for number, layer in enumerate(base.layers):
        q, k, v = _projected(base, layer, x, turned)
        keys.append(k)
        values.append(v)
        if number + 1 < len(base.layers):
            x = x + functional.linear(_attended(q, k, v, spans), layer.out)
            x = x + _fed(base, layer, x)
    return Context(keys, values, spans)


def _normed(base: Base, x: Tensor, weight: Tensor) -> Tensor:
    return functional.rms_norm(x, weight.shape, weight, base.shape.epsilon).to(base.dtype)


def _projected(
    base: Base, layer: Layer, x: Tensor, turned: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries [key_heads, heads of each, rows, width], keys and values [key_heads, rows, width]."""
    shape = base.shape
    rows = functional.linear(_normed(base, x, layer.attention_norm), layer.qkv)
    heads = rows.view(len(rows), -1, shape.head_width)
    qk = rotated(heads[:, : shape.heads + shape.key_heads], *turned)
    q = (
        (qk[:, : shape.heads] * shape.head_width**-0.5)
        .unflatten(1, (shape.key_heads, -1))
        .permute(1, 2, 0, 3)
    )
    k = qk[:, shape.heads :].transpose(0, 1).contiguous()
    return q, k, heads[:, shape.heads + shape.key_heads :].transpose(0, 1).contiguous()


def _attended(q: Tensor, k: Tensor, v: Tensor, spans: list[tuple[int, int]]) -> Tensor:
    key_heads, shared, _, width = q.shape
    result = q.new_empty(q.shape[2], key_heads * shared, width)
    for first, last in spans:
        for start in range(first, last, _QUERIES):
            end = min(start + _QUERIES, last)
            own = q[:, :, start:end].reshape(key_heads, -1, width)
            scores = torch.bmm(own, k[:, first:end].transpose(1, 2))
            hidden = torch.ones(end - start, end - start, dtype=torch.bool, device=q.device).triu_(1)
            scores.view(key_heads, shared, end - start, -1)[..., start - first :].masked_fill_(
                hidden, float("-inf")
            )
            found = torch.bmm(scores.softmax(-1), v[:, first:end]).view(key_heads, shared, end - start, width)
            result[start:end] = found.permute(2, 0, 1, 3).flatten(1, 2)
    return result.flatten(1)


def _fed(base: Base, layer: Layer, x: Tensor) -> Tensor:
    gate, up = functional.linear(_normed(base, x, layer.feed_norm), layer.gate_up).chunk(2, -1)
    return functional.linear(functional.silu(gate).mul_(up), layer.down)
