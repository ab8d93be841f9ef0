"""The bundled architecture: two causal context streams and a canvas between them.

The code before the hole is encoded left to right and the code after it right to left, by the same weights; canvas
tokens attend to both streams and to each other, and nothing but the canvas attends to the canvas. So what is cached
of a context stays exact while a user types: a stream only grows at its near end.

Positions do not tell the hole's length. Each stream counts from its own far end (before: 0, 1, 2, ...; after: 0,
-1, -2, ...). The canvas continues the count of *before*; seen from canvas position i, the first token of *after* is
always `reach` - i away, however long the hole really is.
"""

from __future__ import annotations

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


class StreamsModel(nn.Module):
    """The network and its role embeddings; one tied head predicts next, previous and canvas tokens alike."""

    def __init__(self, config: StreamsConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = Transformer(config.transformer)
        self.roles = nn.Embedding(3, config.transformer.width)
        nn.init.normal_(self.roles.weight, std=0.02)

    def embed(self, ids: Tensor, role: int) -> Tensor:
        """Embed ids [..., length] in a role, to [..., length, width]."""
        embedded: Tensor = self.transformer.embedding(ids) + self.roles.weight[role]
        return embedded

    def empty_stream(self, capacity: int) -> KeyValues:
        """Return a store for one stream of at most `capacity` tokens."""
        shape, weight = self.config.transformer, self.roles.weight
        return KeyValues(
            shape.layers, shape.heads, capacity, shape.head_width, dtype=weight.dtype, device=weight.device
        )

    def encode(self, ids: Tensor, role: int, stream: KeyValues) -> Tensor:
        """Append tokens [length], in the stream's own order, to it; return their hidden states [length, width]."""
        start, sign = stream.length, -1 if role == AFTER else 1
        positions = torch.arange(start, start + len(ids), device=ids.device)
        rotate = self.transformer.rotation(sign * positions)
        visible = positions[:, None] >= torch.arange(start + len(ids), device=ids.device)

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = stream.write(layer, start, rotate(key), value)
            return attention(rotate(query), keys, values, visible)

        hidden: Tensor = self.transformer(self.embed(ids[None], role), attend)[0]
        stream.length += len(ids)
        return hidden

    def assemble(self, before: KeyValues, after: KeyValues, canvas: int) -> KeyValues:
        """Lay both streams side by side, room for `canvas` tokens behind them, as `denoise` reads them.

        The keys of *after* are turned as a whole, so that its nearest token stands `reach` behind the canvas's
        start: rotary positions are relative, and one further rotation renumbers a stream.
        """
        shift = before.length + self.config.reach + after.length - 1
        turn = self.transformer.rotation(torch.tensor([shift], device=self.roles.weight.device))
        context = self.empty_stream(before.length + after.length + canvas)
        context.extend(before.keys, before.values)
        context.extend(turn(after.keys), after.values)
        return context

    def denoise(self, canvas: Tensor, before_length: int, context: KeyValues) -> Tensor:
        """One pass over the canvas [length]; return its logits [length, vocabulary].

        `context` is what `assemble` made of streams whose *before* held `before_length` tokens. It is not grown:
        the canvas is written behind it, over the last step's.
        """
        positions = torch.arange(before_length, before_length + len(canvas), device=canvas.device)
        rotate = self.transformer.rotation(positions)

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = context.write(layer, context.length, rotate(key), value)
            return attention(rotate(query), keys, values)

        hidden = self.transformer(self.embed(canvas[None], CANVAS), attend)
        return self.transformer.logits(hidden[0])


def attention(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention; `visible` is True where a query [.., q, d] may look at a key [.., k, d].

    Written out, because two batched products beat the fused kernel for the few queries of a canvas on a CPU.
    """
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    if visible is not None:
        scores = scores.masked_fill(~visible, float("-inf"))
    mixed: Tensor = scores.softmax(-1) @ value
    return mixed
