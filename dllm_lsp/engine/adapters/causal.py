"""An adapted causal base behind the engine's protocols: streams that it has read, and canvas rows that see all of them.

The unchanged base reads the streams, so what is cached of them is exact, grows while a person types, and does not
depend on the adapter. Canvas rows begin with the last known token. Row i proposes token i + 1; known tokens at the left
end are read causally, as the base reads, so that each says what follows given all to its left: that verifies guesses.
From the first mask on rows see each other in both directions. Where every token stands, `models.adapted.geometry` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from dllm_lsp.engine.model import CanvasTokens, Leftward
from dllm_lsp.engine.tokens import near_end, shared_prefix
from dllm_lsp.infill.hole import Hole
from dllm_lsp.models.adapted.geometry import END, HEAD, POSITIONS, Kind, Stream, stream
from dllm_lsp.models.adapted.healing import healed_start
from dllm_lsp.models.checkpoints.causal import Causal
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.network.keyvalues import KeyValues
from dllm_lsp.models.network.passes import Span, cached_pass, causal
from dllm_lsp.models.network.pool import Pool, Room
from dllm_lsp.models.network.transformer import Transformer

MASK = 16
"""Stands for the mask on canvases: a special token of the base that no text becomes and nothing writes."""

PIECE = 32
"""Tokens that are read at a time on a processor: about as long as two passes take. A GPU reads all at once."""

NEAR = 32
"""Tokens below the hole that are read in any case, even where there is little time."""


class CausalTokens(NamedTuple):
    """The streams around a hole, the code before it last, and the text that the canvas begins with."""

    snippets: list[Stream]
    below: Stream
    rest: Stream
    before: Stream
    stem: str

    def texts(self) -> list[tuple[int, ...]]:
        """Return the tokens of the code around: the best snippet behind the others, what is below, what is before."""
        streams = [*reversed(self.snippets), self.below, self.before]
        return [each.ids[HEAD:] for each in streams]


class Encoded:
    """A stream as far as the base has read it: it grows at its end and is cut there."""

    def __init__(self, network: Transformer, capacity: int) -> None:
        self.ids: tuple[int, ...] = ()
        self.first = 0
        self.cache = KeyValues(network, capacity)

    @property
    def stream(self) -> Stream:
        """What has been read."""
        return Stream(self.ids, self.first)

    def lacking(self, stream: Stream) -> tuple[int, ...]:
        """Cut what is not as the stream begins; return what of it is to be read."""
        ids, self.first = stream
        shared = shared_prefix(self.ids, ids)
        self.ids = ids[:shared]
        self.cache.truncate(shared)
        return ids[shared:]

    def grow(self, ids: tuple[int, ...]) -> None:
        """Take note that `ids` have been read."""
        self.ids += ids
        self.cache.length = len(self.ids)


def read(network: Transformer, streams: Sequence[tuple[Encoded, Stream]], most: int) -> int:
    """Have what is encoded grow towards its streams, by `most` tokens in all; return how many were read.

    One pass reads them, of the first streams first. All streams are cut at once to what still stands.
    """
    parts: list[tuple[Encoded, tuple[int, ...]]] = []
    positions: list[int] = []
    left = most
    for encoded, wanted in streams:
        if fresh := encoded.lacking(wanted)[:left]:
            start = wanted.first + len(encoded.ids)
            positions += range(start, start + len(fresh))
            parts.append((encoded, fresh))
            left -= len(fresh)
    if not parts:
        return 0
    device = network.norm.weight.device
    spans = [
        Span.behind(encoded.cache, encoded.cache.length, len(fresh), causal(len(fresh), device))
        for encoded, fresh in parts
    ]
    tokens = torch.tensor([token for _, fresh in parts for token in fresh], device=device)
    rotate = network.rotation(torch.tensor(positions, device=device))
    cached_pass(network, network.embedding(tokens), rotate, spans)
    for encoded, fresh in parts:
        encoded.grow(fresh)
    return most - left


class CausalContext:
    """The streams of a document. Of the code before the hole, all but the last token, which is a canvas row."""

    def __init__(self, network: Transformer) -> None:
        self._network = network
        self._below, self._rest, self._before = (
            Encoded(network, kind.positions) for kind in (Kind.BELOW, Kind.REST, Kind.BEFORE)
        )
        self._snippets: dict[Stream, Encoded] = {}
        self.last, self.position = 0, 0
        """The last known token, and where it stands."""

    @property
    def streams(self) -> list[Encoded]:
        """All of them, the code before the hole last."""
        return [*self._snippets.values(), self._below, self._rest, self._before]

    @property
    def bytes(self) -> int:
        """The memory that they take."""
        return sum(each.cache.bytes for each in self.streams)

    def become(self, tokens: CausalTokens, has_time: Callable[[], bool], most: int) -> int:
        """Read `most` tokens of the streams of a hole; return how many.

        Where there is no time, snippets wait, and of the code below the hole what is further away than NEAR.
        """
        is_hurried = not has_time()
        *known, self.last = tokens.before.ids
        self.position = tokens.before.first + len(known)
        before = tokens.before._replace(ids=tuple(known))
        below = tokens.below
        if is_hurried:
            read_already = shared_prefix(self._below.ids, below.ids)
            below = below._replace(ids=below.ids[: max(NEAR, read_already)])
        near = [(self._before, before), (self._rest, tokens.rest), (self._below, below)]
        begun, self._snippets = self._snippets, {}
        for each in tokens.snippets:
            if each in begun or not is_hurried:
                self._snippets[each] = begun.get(each) or Encoded(self._network, len(each.ids))
        snippets = [(encoded, each) for each, encoded in self._snippets.items()]
        return read(self._network, [*near, *(() if is_hurried else snippets)], most)


@dataclass(slots=True)
class CausalSurroundings:
    """What a canvas stands behind, side by side in a store, but for the `last` known token; where that stands."""

    store: KeyValues
    last: Tensor
    position: int


class CausalInfilling:
    """An adapted base as the engine sees it; see `model.Model`."""

    is_small = False
    milliseconds = 600.0
    fit = None

    def __init__(self, causal: Causal, tokenizer: TextTokenizer, pool: Pool | None = None) -> None:
        """`pool` is that of another model on the same base."""
        network = causal.network
        self._causal, self._network, self._tokenizer = causal, network, tokenizer
        self._device = network.mask.device
        # All alike, so that one serves every request.
        self._pool = pool or Pool(network.base, POSITIONS, idle=1)
        self._piece = PIECE if self._device.type == "cpu" else POSITIONS
        silent = tokenizer.silent(network.base.config.vocabulary)
        self.tokens = CanvasTokens(
            mask=MASK,
            delete=END,
            expand=None,
            forbidden=tuple(i for i in silent if i != END),
        )
        self.before, self.after = Kind.BEFORE.room, Kind.REST.room + Kind.BELOW.room
        self.snippets, self.canvas = causal.snippets, causal.canvas
        self.leftward = Leftward(CausalTokens.texts, self.commit)
        self.languages = causal.languages

    def adapted(self, folder: Path) -> CausalInfilling:
        """Return the model that another adapter makes of the same base; see `model.Model`."""
        return CausalInfilling(self._causal.adapted(folder), self._tokenizer, self._pool)

    def read(self, hole: Hole) -> CausalTokens:
        """Return the streams around a hole. Each of them is tokenized alone."""
        encode = self._tokenizer.encode
        start = healed_start(hole.before, len(hole.before))
        rest = hole.after.split("\n", 1)[0]
        return CausalTokens(
            [stream(Kind.SNIPPET, encode(text), n) for n, text in enumerate(hole.snippets[: self.snippets])],
            stream(Kind.BELOW, encode(hole.after[len(rest) :])),
            stream(Kind.REST, encode(rest)),
            stream(Kind.BEFORE, near_end(encode(hole.before[:start]), Kind.BEFORE.room)),
            hole.before[start:],
        )

    def context(self, language: str) -> CausalContext:
        """Return the empty context of a document; the base is not told its language."""
        return CausalContext(self._network.base)

    def encode(self, context: CausalContext, tokens: CausalTokens, has_time: Callable[[], bool]) -> int:
        """Read a piece of what is new around a hole; see `model.Model`."""
        return context.become(tokens, has_time, self._piece)

    @contextmanager
    def surroundings(self, context: CausalContext, canvas: int) -> Iterator[CausalSurroundings]:
        """Lay a context's streams side by side, with room for up to `canvas` rows behind them."""
        streams = context.streams
        with self._pool.lend(sum(len(each.ids) for each in streams) + canvas) as room:
            _lay(room, streams)
            yield CausalSurroundings(
                room.store, torch.tensor([context.last], device=self._device), context.position
            )

    def commit(self, around: CausalSurroundings, ids: Sequence[int]) -> None:
        """Take tokens as written; see `model.Leftward`. All of them but the last have been read as rows."""
        around.store.length += len(ids)
        around.position += len(ids)
        around.last = torch.tensor(ids[-1:], device=self._device)

    def denoise(self, canvases: Sequence[Tensor], around: Sequence[CausalSurroundings]) -> list[Tensor]:
        """Return the logits [n, vocabulary] of canvases [n]; see `model.Model`."""
        counts = [len(canvas) for canvas in canvases]
        rows = [torch.cat([at.last, canvas[:-1]]) for canvas, at in zip(canvases, around, strict=True)]
        spans = [
            Span.behind(at.store, at.store.length, n, _among(canvas))
            for at, n, canvas in zip(around, counts, canvases, strict=True)
        ]
        positions = [
            torch.arange(at.position, at.position + n, device=self._device)
            for at, n in zip(around, counts, strict=True)
        ]
        ids, (base, adapter, mask) = torch.cat(rows), self._network
        x = mask.where((ids == MASK)[:, None], base.embedding(ids))
        hidden = cached_pass(base, x, base.rotation(torch.cat(positions)), spans, adapter.amend)
        return list(base.logits(hidden).split(counts))


def _lay(room: Room, streams: Sequence[Encoded]) -> None:
    """Lay streams side by side into a room, but for what lies there already since its last request."""
    held, room.held = room.held, ()  # in case that this fails
    is_same = True
    for each, old in zip_longest(streams, held[: len(streams)]):
        is_same = is_same and old is not None and old.first == each.first
        shared = shared_prefix(old.ids, each.ids) if is_same else 0
        is_same = is_same and shared == len(old.ids)
        room.store.length += shared
        room.store.append(each.cache.keys[:, :, shared:], each.cache.values[:, :, shared:])
        is_same = is_same and shared == len(each.ids)
    room.held = [each.stream for each in streams]


def _among(canvas: Tensor) -> Tensor:
    """Return what the rows of a canvas [n] see of each other, for `Span`.

    Row 0 is the last known token before the canvas, row i its token i - 1. Rows up to the first mask's are causal.
    """
    known = int((canvas != MASK).long().cumprod(0).sum())
    among = causal(len(canvas), canvas.device)
    among[known + 1 :] = 0.0
    return among
