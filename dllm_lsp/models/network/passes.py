"""A pass of a network over new tokens of several sequences, whose earlier tokens are cached.

The sequences lie packed behind each other, so that sequences of any lengths share the reading of the weights and none
is padded. Each attends in its own store. Knows no roles, masks or positions: those it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dllm_lsp.models.network.attention import Heads, best
from dllm_lsp.models.network.keyvalues import KeyValues
from dllm_lsp.models.network.transformer import Amend, Rotation, Transformer, unamended


class Span(NamedTuple):
    """One sequence's n tokens in a pass: the `columns` [n] of its store that they take, and what they see of it.

    All of them see the first `seen` [1] columns. With `among` [n, n], they are the last n of these columns, and it is
    added to the scores between them: minus infinity where one token does not see another.
    """

    store: KeyValues
    columns: Tensor
    seen: Tensor
    among: Tensor | None = None

    @classmethod
    def behind(cls, store: KeyValues, start: int, count: int, among: Tensor | None = None) -> Span:
        """Return the span of `count` tokens that lie from column `start` on and see all before them."""
        device = store.keys.device
        end = start + count
        assert end <= store.capacity, "written beyond the store"
        return cls(store, torch.arange(start, end, device=device), torch.tensor([end], device=device), among)


def cached_pass(
    transformer: Transformer,
    x: Tensor,
    rotate: Rotation,
    spans: Sequence[Span],
    amend: Amend = unamended,
) -> Tensor:
    """Run embedded tokens [tokens, width], those of each span behind the last one's, turned to their positions.

    Returns their hidden states [tokens, width]. Their keys and values are written into the spans' columns. An adapter
    may `amend` what the network's matrices make of them.
    """
    kernel = best(Heads.of(transformer))
    counts = [len(span.columns) for span in spans]
    mixes = [
        kernel(span.seen, count, span.store.capacity, span.among)
        for span, count in zip(spans, counts, strict=True)
    ]

    def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        parts = (x.split(counts, dim=2) for x in (rotate(query), rotate(key), value))
        mixed = []
        for span, mix, q, k, v in zip(spans, mixes, *parts, strict=True):
            span.store.write(layer, span.columns, k, v)
            mixed.append(mix(q, *span.store.layers[layer]))
        return mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=2)

    hidden: Tensor = transformer(x[None], attend, amend)
    return hidden[0]


def causal(length: int, device: torch.device) -> Tensor:
    """Return the scores to add among `length` tokens of which each sees itself and those before it."""
    return torch.full((length, length), float("-inf"), device=device).triu_(1)
