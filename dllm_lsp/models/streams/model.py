"""The bundled architecture: causal context streams and a canvas between them.

The code before the hole is encoded left to right and the code after it right to left, by the same weights; each
related snippet is one more stream like the code before. Canvas tokens attend to all streams and to each other, and
nothing but the canvas attends to the canvas. So what is cached of a context stays exact while a user types: a stream
only grows at its near end.

Positions do not tell the hole's length. Each stream counts from its own far end (before: 0, 1, 2, ...; after: 0,
-1, -2, ...). The canvas continues the count of *before*. Seen from canvas position i, the first token of *after* is
always `reach` - i away, however long the hole really is. The first token of a snippet is `before` + i away, as far as
the code before can reach. docs/engine.md has an example.

The embedding of a token holds that of the token before it (in a stream's own order; on a canvas, to the left), and what
is written may be copied from the context (`models.streams.copying`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, ClassVar, NamedTuple

import torch
from msgspec import Meta, Struct
from torch import Tensor, nn

from dllm_lsp.models.network.keyvalues import KeyValues
from dllm_lsp.models.network.passes import Span, cached_pass, causal
from dllm_lsp.models.network.pool import Pool
from dllm_lsp.models.network.quantization import quantize
from dllm_lsp.models.network.transformer import Count, Rotation, Transformer, TransformerConfig
from dllm_lsp.models.streams.copying import CopyHead, Sources
from dllm_lsp.models.streams.encoded import AFTER, BEFORE, CANVAS, Copyable, Stream, Streams


class StreamsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model's shape; `reach` is the largest canvas, `before` and `after` the trained stream lengths in tokens.

    It reads at most `snippets` related snippets, of at most `snippet_tokens` each. `languages` are those that it was
    trained on, by the names of their records; none: not known.
    """

    transformer: TransformerConfig
    reach: Count
    before: Count
    after: Count
    snippets: Annotated[int, Meta(ge=0)] = 0
    snippet_tokens: Count = 192
    languages: tuple[str, ...] = ()


class Surroundings(NamedTuple):
    """What one canvas looks at: the streams side by side in a store, with room for the canvas behind them.

    `rotate` turns the canvas to its positions, `left` [1] is the token before it.
    """

    store: KeyValues
    rotate: Rotation
    left: Tensor
    sources: Sources


class StreamsModel(nn.Module):
    """The network and its role embeddings; one tied head predicts next, previous and canvas tokens alike."""

    architecture: ClassVar[str] = "streams"

    def __init__(self, config: StreamsConfig) -> None:
        super().__init__()
        self.config = config
        self.transformer = Transformer(config.transformer)
        width = config.transformer.width
        self.roles = nn.Embedding(3, width)
        self.behind = nn.Linear(width, width, bias=False)
        self.left = nn.Linear(width, width, bias=False)
        self.copies = CopyHead(width)
        sides = config.before + config.after + 2  # each with its begin token
        self._pool = Pool(self.transformer, sides + config.snippets * config.snippet_tokens + config.reach)
        nn.init.normal_(self.roles.weight, std=0.02)
        nn.init.normal_(self.behind.weight, std=0.5 * width**-0.5)
        nn.init.normal_(self.left.weight, std=width**-0.5)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.roles.weight.device

    def quantize(self, precision: str, device: torch.device) -> None:
        """Bring the network onto a device, with its matrices as "int8" or "fp8"; the copy head's few stay whole."""
        quantize(self, precision, device, kept=(CopyHead,))

    def embed(self, ids: Tensor, last: Tensor, role: int) -> Tensor:
        """Embed ids [..., length] in a role, to [..., length, width]; `last` [..., 1] stands before the first."""
        return self._embed(ids, torch.cat([last, ids[..., :-1]], dim=-1), role)

    def _embed(self, ids: Tensor, left: Tensor, role: int) -> Tensor:
        """Embed ids [..., length], each together with its neighbor in `left` [..., length]."""
        embedding, glance = self.transformer.embedding, self.left if role == CANVAS else self.behind
        embedded: Tensor = embedding(ids) + glance(embedding(left)) + self.roles.weight[role]
        return embedded

    def stream(self, capacity: int) -> Stream:
        """Return an empty stream of at most `capacity` tokens."""
        return Stream(KeyValues(self.transformer, capacity))

    def encode(self, ids: Tensor, role: int, stream: Stream) -> Tensor:
        """Append tokens [n], in the stream's own order, to it; return their hidden states [n, width]."""
        start, end = stream.length, stream.length + len(ids)
        positions = torch.arange(start, end, device=ids.device) * (-1 if role == AFTER else 1)
        x, rotate = self.embed(ids, stream.last(), role), self.transformer.rotation(positions)
        span = Span.behind(stream.cache, start, len(ids), causal(len(ids), self.device))
        hidden = cached_pass(self.transformer, x, rotate, [span])
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

    def read_on(self, stream: Stream, ids: Tensor) -> Tensor:
        """Read ids [n] as if they followed on a *before* stream, and leave the stream as it is.

        Returns the log-probabilities [n, vocabulary] of what follows each of them. The first id repeats the stream's
        last token, whose hidden state was not kept.
        """
        start, cell = stream.length - 1, torch.arange(len(ids), device=self.device)
        x, rotate = self.embed(ids, stream.last(2), BEFORE), self.transformer.rotation(start + cell)
        with self._pool.lend(start + len(ids)) as room:
            room.store.append(stream.cache.keys[:, :, :-1], stream.cache.values[:, :, :-1])
            span = Span.behind(room.store, start, len(ids), causal(len(ids), self.device))
            hidden = cached_pass(self.transformer, x, rotate, [span])
        stored = stream.copyable(BEFORE)
        far = (stored.distance + cell[:, None]).expand(-1, len(stored.ids))
        sources = Sources(
            torch.cat([stored.keys, self.copies.key(hidden)])[None],
            torch.cat([stored.ids, ids.roll(-1)])[None],
            torch.cat([far, cell[:, None] - cell], dim=-1)[None],
            torch.cat([stored.before, torch.ones_like(ids, dtype=torch.bool)])[None],
        )
        return self.copies.log_probabilities(hidden[None], self.transformer.logits(hidden)[None], sources)[0]

    @contextmanager
    def surroundings(self, streams: Streams, canvas: int) -> Iterator[Surroundings]:
        """Lay streams side by side, with room for `canvas` tokens behind them, as long as the block lasts.

        One further rotation renumbers a whole stream, since rotary positions are relative. So *after* is turned until
        its nearest token stands `reach` behind the canvas's first position, and each snippet until its first token
        stands `before` in front of that.
        """
        before, after, snippets = streams
        with self._pool.lend(streams.length + canvas) as room:
            self._lay(room.store, before, 0)
            self._lay(room.store, after, before.length + self.config.reach + after.length - 1)
            for snippet in snippets:
                self._lay(room.store, snippet, before.length - self.config.before)
            positions = before.length + torch.arange(canvas, device=self.device)
            copyable = [
                before.copyable(BEFORE),
                after.copyable(AFTER),
                *(snippet.copyable(BEFORE, self.config.before) for snippet in snippets),
            ]
            left = before.last().clone()  # the stream may be written over while the block lasts
            yield Surroundings(room.store, self.transformer.rotation(positions), left, sources_of(copyable))

    def _lay(self, store: KeyValues, stream: Stream, shift: int) -> None:
        """Put a stream at the end of a store, renumbered by `shift`."""
        columns = store.append(stream.cache.keys, stream.cache.values)
        if shift:
            turn = self.transformer.rotation(torch.tensor([shift], device=self.device))
            for keys, _ in store.layers:  # layer by layer, so that little memory is taken anew
                keys[:, :, columns] = turn(keys[:, :, columns])

    def denoise(self, canvases: Sequence[Tensor], around: Sequence[Surroundings]) -> list[Tensor]:
        """One pass over canvases [n], each in its own surroundings; return their log-probabilities [n, vocabulary].

        The keys and values of a canvas go behind what it looks at, over those of its last pass.
        """
        counts = [len(canvas) for canvas in canvases]
        left = [torch.cat([at.left, canvas[:-1]]) for canvas, at in zip(canvases, around, strict=True)]
        rotate = Rotation.joined([at.rotate.first(n) for at, n in zip(around, counts, strict=True)])
        spans = [Span.behind(at.store, at.store.length, n) for at, n in zip(around, counts, strict=True)]
        x = self._embed(torch.cat(list(canvases)), torch.cat(left), CANVAS)
        hidden = cached_pass(self.transformer, x, rotate, spans)
        parts = zip(hidden.split(counts), self.transformer.logits(hidden).split(counts), around, strict=True)
        return [self.copies.log_probabilities(h[None], own[None], at.sources)[0] for h, own, at in parts]


def sources_of(copyable: Sequence[Copyable]) -> Sources:
    """Return what a canvas may copy of the streams around it."""
    keys, ids, distance, before = (torch.cat(parts)[None] for parts in zip(*copyable, strict=True))
    return Sources(keys, ids, distance[:, None], before)
