"""The bundled architecture: causal context streams and a canvas between them.

The code before the hole is encoded left to right and the code after it right to left, by the same weights; each
related snippet is one more stream like the code before. Canvas tokens attend to all streams and to each other, and
nothing but the canvas attends to the canvas. So what is cached of a context stays exact while a user types: a stream
only grows at its near end.

Positions do not tell the hole's length. Each stream counts from its own far end (before: 0, 1, 2, ...; after: 0,
-1, -2, ...). The canvas continues the count of *before*; seen from canvas position i, the first token of *after* is
always `reach` - i away, however long the hole really is, and the first token of a snippet `before` + i: as far as the
code before can reach.

Every token also sees the one before it right away (in a stream's own order; on a canvas, to the left), and what is
written may be copied from the context (`models.copying`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch
from msgspec import Meta, Struct
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from dllm_lsp.models.network.attention import two_products
from dllm_lsp.models.network.keyvalues import KeyValues
from dllm_lsp.models.network.transformer import Count, Rotation, Transformer, TransformerConfig
from dllm_lsp.models.streams.copying import CopyHead, Sources
from dllm_lsp.models.streams.encoded import AFTER, BEFORE, CANVAS, Copyable, Stream, Streams


class StreamsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model's shape; `reach` is the largest canvas, `before` and `after` the trained stream lengths in tokens.

    It reads at most `snippets` related snippets, of at most `snippet_tokens` each.
    """

    transformer: TransformerConfig
    reach: Count
    before: Count
    after: Count
    snippets: Annotated[int, Meta(ge=0)] = 0
    snippet_tokens: Count = 192


_FEW = 64
"""Up to so many queries keep but one thread of a CPU busy in torch's fused attention; plain products keep all."""

_IDLE = 2
"""How many stores are kept while nobody uses them."""


class Surroundings(NamedTuple):
    """What canvases look at: a row of keys and values for each, with room for the canvases behind them.

    `rotate` turns canvases to their positions, `left` [rows, 1] is the token before each. `bias` [rows, 1, 1,
    store.length] is minus infinity where a row is padded and 0 elsewhere.
    """

    store: KeyValues
    rotate: Rotation
    left: Tensor
    bias: Tensor
    sources: Sources


class StreamsModel(nn.Module):
    """The network and its role embeddings; one tied head predicts next, previous and canvas tokens alike."""

    def __init__(self, config: StreamsConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = Transformer(config.transformer)
        width = config.transformer.width
        self.roles = nn.Embedding(3, width)
        self.behind = nn.Linear(width, width, bias=False)
        self.left = nn.Linear(width, width, bias=False)
        self.copies = CopyHead(width)
        self._idle: list[KeyValues] = []
        nn.init.normal_(self.roles.weight, std=0.02)
        nn.init.normal_(self.behind.weight, std=0.5 * width**-0.5)
        nn.init.normal_(self.left.weight, std=width**-0.5)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.roles.weight.device

    def embed(self, ids: Tensor, last: Tensor, role: int) -> Tensor:
        """Embed ids [..., length] in a role, to [..., length, width]; `last` [..., 1] stands before the first."""
        embedding = self.transformer.embedding
        glance = self.left if role == CANVAS else self.behind
        tokens = embedding(torch.cat([last, ids], dim=-1))
        embedded: Tensor = tokens[..., 1:, :] + glance(tokens[..., :-1, :]) + self.roles.weight[role]
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

    def stream(self, capacity: int) -> Stream:
        """Return an empty stream of at most `capacity` tokens."""
        return Stream(self.empty(1, capacity))

    def forward(self, x: Tensor, rotate: Rotation, store: KeyValues, bias: Tensor) -> Tensor:
        """One pass over embedded tokens [rows, n, width], turned to their positions; return their hidden states.

        Their keys and values are written behind the store's, which does not grow. `bias`, broadcast to [rows, 1, n,
        store.length + n], is 0 where a token may look at a key, and minus infinity where it may not.
        """
        slots, bias = store.slots(x.shape[1]), bias.to(x.dtype)  # fused kernels want one type
        few = x.shape[1] <= _FEW and not x.is_cuda and torch.get_num_threads() > 1
        mix = two_products if few else F.scaled_dot_product_attention

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            slot = slots[layer]
            slot.write(rotate(key), value)
            return mix(rotate(query), slot.keys, slot.values, bias)

        hidden: Tensor = self.transformer(x, attend)
        return hidden

    def encode(self, ids: Tensor, role: int, stream: Stream) -> Tensor:
        """Append tokens [n], in the stream's own order, to it; return their hidden states [n, width]."""
        start, end = stream.length, stream.length + len(ids)
        positions = torch.arange(start, end, device=ids.device) * (-1 if role == AFTER else 1)
        x, rotate = self.embed(ids[None], stream.last()[None], role), self.transformer.rotation(positions)
        hidden: Tensor = self(x, rotate, stream.cache, causal(start, len(ids), self.device))[0]
        stream.ids[start:end] = ids
        stream.copy_keys[start:end] = self.copies.key(hidden)
        stream.cache.length = end
        return hidden

    def log_likelihoods(self, ids: Tensor, role: int) -> Tensor:
        """Return the log-probability [n - 1] of each of ids [n] but the first, given those before it in a stream."""
        hidden, targets = self.encode(ids, role, self.stream(len(ids)))[:-1], ids[1:]
        own = self.transformer.logits(hidden).float().log_softmax(-1).gather(-1, targets[:, None])[:, 0]
        if role == AFTER:
            return own
        sources = self.sources_within(hidden[None], targets[None])
        copied, left = self.copies.log_likelihoods(hidden[None], targets[None], sources)
        return torch.logaddexp(own + left[0], copied[0])

    def sources_within(self, hidden: Tensor, following: Tensor) -> Sources:
        """Return what each of N positions of *before* may copy: the ids [B, N] that followed those before it.

        `hidden` [B, N, width] are the positions' states, and `following` the ids next to them.
        """
        entry = torch.arange(following.shape[1], device=following.device)
        before = torch.ones_like(following, dtype=torch.bool)
        return Sources(self.copies.key(hidden), following, entry[:, None] - entry, before)

    def read_on(self, streams: Sequence[Stream], ids: Tensor) -> Tensor:
        """Read ids [rows, n] on behind *before* streams, which stay as they are.

        Returns the log-probabilities [rows, n, vocabulary] of what follows each of them. The first of a row's ids is
        its stream's last token once more, since its hidden state was not kept.
        """
        rows, length = ids.shape
        starts = torch.tensor([[stream.length - 1] for stream in streams], device=self.device)
        longest = int(starts.max())
        entry, cell = torch.arange(longest, device=self.device), torch.arange(length, device=self.device)
        store = self.empty(rows, longest + length)
        store.length = longest
        for row, stream in enumerate(streams):
            store.put(row, 0, stream.cache.keys[:, 0, :, :-1], stream.cache.values[:, 0, :, :-1])
        unseen = excluded(entry >= starts)[:, None, None].expand(-1, -1, length, -1)
        own = causal(0, length, self.device).expand(rows, 1, -1, -1)
        x = self.embed(ids, torch.stack([stream.last(2) for stream in streams]), BEFORE)
        rotate = self.transformer.rotation((starts + cell)[:, None])
        hidden: Tensor = self(x, rotate, store, torch.cat([unseen, own], dim=-1))
        stored = padded_sources([[stream.copyable(BEFORE)] for stream in streams])
        far = (stored.distance + cell[:, None]).masked_fill(stored.distance <= 0, 0)
        sources = Sources(
            torch.cat([stored.keys, self.copies.key(hidden)], dim=1),
            torch.cat([stored.ids, ids.roll(-1, 1)], dim=1),
            torch.cat([far, (cell[:, None] - cell).expand(rows, -1, -1)], dim=-1),
            torch.cat([stored.before, torch.ones_like(ids, dtype=torch.bool)], dim=1),
        )
        return self.copies.log_probabilities(hidden, self.transformer.logits(hidden), sources)

    def assemble(self, contexts: Sequence[Streams], canvas: int) -> Surroundings:
        """Lay the streams of each context side by side, a row each, with room for `canvas` tokens behind them.

        The keys of *after* are turned as a whole, so that its nearest token stands `reach` behind the canvas's
        start, and those of a snippet so that its first token stands `before` in front of it: rotary positions are
        relative, and one further rotation renumbers a stream.
        """
        lengths = torch.tensor([context.length for context in contexts], device=self.device)
        longest = max(context.length for context in contexts)
        store = self._work_store(len(contexts), longest + canvas)
        store.length = longest
        for row, (before, after, snippets) in enumerate(contexts):
            shift = before.length + self.config.reach + after.length - 1
            end = self._lay(store, row, 0, before, 0)
            end = self._lay(store, row, end, after, shift)
            for snippet in snippets:
                end = self._lay(store, row, end, snippet, before.length - self.config.before)
        padding = torch.arange(longest, device=self.device) >= lengths[:, None]
        starts = torch.tensor([[[context.before.length]] for context in contexts], device=self.device)
        return Surroundings(
            store,
            rotate=self.transformer.rotation(starts + torch.arange(canvas, device=self.device)),
            left=torch.stack([context.before.last() for context in contexts]),
            bias=excluded(padding)[:, None, None],
            sources=padded_sources([self._copyable(context) for context in contexts]),
        )

    def _lay(self, store: KeyValues, row: int, start: int, stream: Stream, shift: int) -> int:
        """Put a stream into a row at `start`, renumbered by `shift`; return where it ends."""
        store.put(row, start, stream.cache.keys[:, 0], stream.cache.values[:, 0])
        end = start + stream.length
        if shift:
            turn = self.transformer.rotation(torch.tensor([shift], device=self.device))
            for keys in store.keys[:, row, :, start:end]:
                keys.copy_(turn(keys))  # layer by layer, so that little memory is taken anew
        return end

    def _copyable(self, context: Streams) -> list[Copyable]:
        far = [snippet.copyable(BEFORE, self.config.before) for snippet in context.snippets]
        return [context.before.copyable(BEFORE), context.after.copyable(AFTER), *far]

    def give_back(self, around: Surroundings) -> None:
        """Say that nobody looks at these surroundings any more, so that others may be laid where they lay."""
        self._idle = [*self._idle, around.store][-_IDLE:]

    def _work_store(self, rows: int, capacity: int) -> KeyValues:
        """Return a store to assemble in, one that was given back if it fits: fresh memory costs more than its filling.

        What still lies there is finite, and out of sight.
        """
        for store in self._idle:
            if store.keys.shape[1] == rows and store.capacity >= capacity:
                self._idle.remove(store)
                return store
        shape = self.config
        sides = shape.before + shape.after + 2  # each with its begin token
        usual = sides + shape.snippets * shape.snippet_tokens + shape.reach
        return self.empty(rows, max(capacity, usual))

    def denoise(self, canvas: Tensor, lengths: Tensor, around: Surroundings) -> Tensor:
        """One pass over canvases [rows, n] of which `lengths` [rows] are valid.

        Returns log-probabilities [rows, n, vocabulary]. The canvas is written behind what it looks at, over the last
        step's.
        """
        cell = torch.arange(canvas.shape[1], device=canvas.device)
        padding = excluded(cell >= lengths[:, None])[:, None, None]
        bias = torch.cat([around.bias, padding], dim=-1)
        x = self.embed(canvas, around.left, CANVAS)
        hidden = self(x, around.rotate.first(len(cell)), around.store, bias)
        return self.copies.log_probabilities(hidden, self.transformer.logits(hidden), around.sources)


def padded_sources(rows: Sequence[Sequence[Copyable]]) -> Sources:
    """Lay what each row can copy side by side; what is padded is out of sight."""
    columns = zip(*([torch.cat(parts) for parts in zip(*row, strict=True)] for row in rows), strict=True)
    keys, ids, distance, before = (pad_sequence(list(column), batch_first=True) for column in columns)
    return Sources(keys, ids, distance[:, None], before)


def excluded(hidden: Tensor) -> Tensor:
    """Return the bias that takes the keys where `hidden` is true out of sight."""
    return torch.zeros(hidden.shape, device=hidden.device).masked_fill_(hidden, float("-inf"))


def causal(start: int, length: int, device: torch.device) -> Tensor:
    """Return the bias [length, start + length] of tokens that look back: at `start` earlier ones, and in order."""
    hidden = torch.ones(length, start + length, dtype=torch.bool, device=device)
    return excluded(hidden.triu(start + 1))
