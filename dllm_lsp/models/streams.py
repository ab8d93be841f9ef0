"""The bundled architecture: two causal context streams and a canvas between them.

The code before the hole is encoded left to right and the code after it right to left, by the same weights; canvas
tokens attend to both streams and to each other, and nothing but the canvas attends to the canvas. So what is cached
of a context stays exact while a user types: a stream only grows at its near end.

Positions do not tell the hole's length. Each stream counts from its own far end (before: 0, 1, 2, ...; after: 0,
-1, -2, ...). The canvas continues the count of *before*; seen from canvas position i, the first token of *after* is
always `reach` - i away, however long the hole really is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from msgspec import Struct
from torch import Tensor, nn

from dllm_lsp.models.keyvalues import KeyValues
from dllm_lsp.models.transformer import Count, Transformer, TransformerConfig

BEFORE, AFTER, CANVAS = 0, 1, 2
"""Roles, each with a learned embedding."""


class StreamsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model's shape; `reach` is the largest canvas, `before` and `after` the trained stream lengths in tokens."""

    transformer: TransformerConfig
    reach: Count
    before: Count
    after: Count


class Streams(NamedTuple):
    """Both encoded sides of a hole, each a store of one row."""

    before: KeyValues
    after: KeyValues


class Surroundings(NamedTuple):
    """What canvases look at: a row of keys and values for each, with room for the canvases behind them.

    `starts` [rows, 1] is each canvas's first position. `bias` [rows, 1, 1, store.length] is minus infinity where
    a row is padded and 0 elsewhere.
    """

    store: KeyValues
    starts: Tensor
    bias: Tensor


class StreamsModel(nn.Module):
    """The network and its role embeddings; one tied head predicts next, previous and canvas tokens alike."""

    def __init__(self, config: StreamsConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = Transformer(config.transformer)
        self.roles = nn.Embedding(3, config.transformer.width)
        nn.init.normal_(self.roles.weight, std=0.02)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.roles.weight.device

    def embed(self, ids: Tensor, role: int) -> Tensor:
        """Embed ids [..., length] in a role, to [..., length, width]."""
        embedded: Tensor = self.transformer.embedding(ids) + self.roles.weight[role]
        return embedded

    def empty(self, rows: int, capacity: int) -> KeyValues:
        """Return a store for `rows` sequences of at most `capacity` tokens."""
        shape, dtype = self.config.transformer, self.roles.weight.dtype
        return KeyValues(
            shape.layers,
            rows,
            shape.key_value_heads,
            capacity,
            shape.head_width,
            dtype=dtype,
            device=self.device,
        )

    def forward(self, ids: Tensor, role: int, positions: Tensor, store: KeyValues, bias: Tensor) -> Tensor:
        """One pass over ids [rows, n] at positions [rows, n]; return their hidden states [rows, n, width].

        Their keys and values are written behind the store's, which does not grow. `bias`, broadcast to [rows, 1, n,
        store.length + n], is 0 where a token may look at a key, and minus infinity where it may not.
        """
        rotate = self.transformer.rotation(positions[:, None])

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = store.write(layer, store.length, rotate(key), value)
            return attention(rotate(query), keys, values, bias)

        hidden: Tensor = self.transformer(self.embed(ids, role), attend)
        return hidden

    def encode(self, ids: Tensor, role: int, stream: KeyValues) -> Tensor:
        """Append tokens [n], in the stream's own order, to it; return their hidden states [n, width]."""
        start, sign = stream.length, -1 if role == AFTER else 1
        positions = sign * torch.arange(start, start + len(ids), device=ids.device)
        hidden: Tensor = self(ids[None], role, positions[None], stream, causal(start, len(ids), self.device))
        stream.length += len(ids)
        return hidden[0]

    def read_on(self, streams: Sequence[KeyValues], ids: Tensor) -> Tensor:
        """Read ids [rows, n] on behind *before* streams, which stay as they are; return states [rows, n, width].

        The first of a row's ids is its stream's last token once more, since only its keys and values were kept.
        """
        starts = torch.tensor([[stream.length - 1] for stream in streams], device=self.device)
        longest, length = int(starts.max()) + 1, ids.shape[1]
        store = self.empty(len(streams), longest + length)
        store.length = longest
        for row, stream in enumerate(streams):
            store.put(row, 0, stream.keys[:, 0], stream.values[:, 0])
        unseen = excluded(torch.arange(longest, device=self.device) >= starts)[:, None, None]
        own = causal(0, length, self.device)[None, None]
        bias = torch.cat([unseen.expand(-1, -1, length, -1), own.expand(len(starts), -1, -1, -1)], dim=-1)
        hidden: Tensor = self(ids, BEFORE, starts + torch.arange(length, device=self.device), store, bias)
        return hidden

    def assemble(self, contexts: Sequence[Streams], canvas: int) -> Surroundings:
        """Lay both streams of each context side by side, a row each, with room for `canvas` tokens behind them.

        The keys of *after* are turned as a whole, so that its nearest token stands `reach` behind the canvas's
        start: rotary positions are relative, and one further rotation renumbers a stream.
        """
        lengths = torch.tensor(
            [[before.length, after.length] for before, after in contexts], device=self.device
        )
        longest = max(before.length + after.length for before, after in contexts)
        store = self.empty(len(contexts), longest + canvas)
        store.length = longest
        for row, (before, after) in enumerate(contexts):
            shift = before.length + self.config.reach + after.length - 1
            turn = self.transformer.rotation(torch.tensor([shift], device=self.device))
            store.put(row, 0, before.keys[:, 0], before.values[:, 0])
            store.put(row, before.length, turn(after.keys[:, 0]), after.values[:, 0])
        padding = torch.arange(longest, device=self.device) >= lengths.sum(1, keepdim=True)
        return Surroundings(store, lengths[:, :1], excluded(padding)[:, None, None])

    def denoise(self, canvas: Tensor, lengths: Tensor, around: Surroundings) -> Tensor:
        """One pass over canvases [rows, n] of which `lengths` [rows] are valid; return logits [rows, n, vocabulary].

        The canvas is written behind what it looks at, over the last step's.
        """
        cell = torch.arange(canvas.shape[1], device=canvas.device)
        padding = excluded(cell >= lengths[:, None])[:, None, None]
        bias = torch.cat([around.bias, padding], dim=-1)
        hidden = self(canvas, CANVAS, around.starts + cell, around.store, bias)
        return self.transformer.logits(hidden)


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Scaled dot-product attention; `bias` [.., q, d] is added to the score of a query and a key.

    Written out, because two batched products beat the fused kernel for the few queries of a canvas on a CPU.
    """
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2) + bias
    mixed: Tensor = scores.softmax(-1) @ value
    return mixed


def excluded(hidden: Tensor) -> Tensor:
    """Return the bias that takes the keys where `hidden` is true out of sight."""
    return torch.zeros(hidden.shape, device=hidden.device).masked_fill_(hidden, float("-inf"))


def causal(start: int, length: int, device: torch.device) -> Tensor:
    """Return the bias [length, start + length] of tokens that look back: at `start` earlier ones, and in order."""
    hidden = torch.ones(length, start + length, dtype=torch.bool, device=device)
    return excluded(hidden.triu(start + 1))
