"""The bundled architecture behind the engine's protocols: exact contexts that grow and are cut at their near ends.

A stream's tokens see only those before them, so whatever prefix of it still stands is as good as fresh.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from dllm_lsp.engine.model import CanvasTokens
from dllm_lsp.engine.tokens import Tokens, Window, shared_prefix
from dllm_lsp.infill.hole import Hole
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.encoded import AFTER, BEFORE, Stream, Streams
from dllm_lsp.models.streams.model import StreamsModel, Surroundings

SMALL = 10_000_000
"""A network of fewer parameters is small. Measured at 2.6 million; nothing between that and half a billion was."""

PIECE = 128
"""Tokens that are encoded at a time: about as long as three passes take."""

ALL = sys.maxsize


class Side:
    """One side of a hole: the ids that were encoded, far end first, and what the network made of them."""

    def __init__(self, network: StreamsModel, role: int, capacity: int) -> None:
        self._network, self._role = network, role
        self.ids: list[int] = []
        self.stream = network.stream(capacity)

    def become(self, ids: list[int], most: int) -> int:
        """Hold as much of `ids` as `most` more tokens make; return how many of them had to be encoded.

        What both begin with stays as it is.
        """
        shared = shared_prefix(self.ids, ids)
        fresh = ids[shared : shared + most]
        self.ids = ids[:shared]  # until the rest is encoded, so that this is true if that fails
        self.stream.cache.truncate(shared)
        if fresh:
            self._network.encode(torch.tensor(fresh, device=self._network.device), self._role, self.stream)
        self.ids = ids[: shared + len(fresh)]
        return len(fresh)


class StreamsContext:
    """The streams of a document, each begun with the language's token `begin`."""

    def __init__(self, network: StreamsModel, begin: int) -> None:
        self._network, self._begin = network, begin
        self._before = Side(network, BEFORE, network.config.before + 1)
        self._after = Side(network, AFTER, network.config.after + 1)
        self._snippets: dict[tuple[int, ...], Stream] = {}

    @property
    def bytes(self) -> int:
        """The memory all of them take."""
        return sum(
            stream.bytes for stream in (self.streams.before, self.streams.after, *self.streams.snippets)
        )

    @property
    def streams(self) -> Streams:
        """What is encoded."""
        return Streams(self._before.stream, self._after.stream, tuple(self._snippets.values()))

    def become(self, before: list[int], after: list[int], most: int = ALL) -> int:
        """Hold the code on both sides of a hole, in reading order; return how many tokens were encoded for it.

        Once these are `most`, what is lacking of the code after the hole, or of both sides, waits for the next call.
        """
        begin = [self._begin]
        encoded = self._before.become(begin + before, most)
        return encoded + self._after.become(begin + after[::-1], most - encoded)

    def relate(self, snippets: Sequence[list[int]], has_time: Callable[[], bool], most: int = ALL) -> int:
        """Hold related snippets, the best first; return how many tokens were encoded.

        Snippets that are encoded already cost nothing. Left out are those that are too many for the model, and those
        that are still to be encoded when `has_time` turns false. Each is encoded whole, until these are `most` tokens.
        """
        limits, known = self._network.config, self._snippets
        wanted = [(self._begin, *ids[: limits.snippet_tokens - 1]) for ids in snippets[: limits.snippets]]
        self._snippets = {ids: known[ids] for ids in wanted if ids in known}
        encoded = 0
        for ids in wanted:
            if ids in self._snippets or encoded >= most or not has_time():
                continue
            stream = self._network.stream(len(ids))
            self._network.encode(torch.tensor(ids, device=self._network.device), BEFORE, stream)
            self._snippets[ids] = stream
            encoded += len(ids)
        return encoded


class StreamsInfilling:
    """A network of context streams as the engine sees it; see `model.Model`."""

    milliseconds = 200.0
    fit = leftward = adapted = None

    def __init__(self, network: StreamsModel, tokenizer: Tokenizer) -> None:
        self._network, self._tokenizer = network, tokenizer
        nameless = range(tokenizer.size, network.config.transformer.vocabulary)
        self.tokens = CanvasTokens(
            mask=Tokenizer.mask,
            delete=Tokenizer.delete,
            expand=None,
            forbidden=(*tokenizer.never_written, *nameless),
            waits=True,
        )
        self.before, self.after = network.config.before, network.config.after
        self.snippets, self.languages = network.config.snippets, network.config.languages
        self.canvas = network.config.reach
        self.is_small = network.config.transformer.parameters < SMALL

    def context(self, language: str) -> StreamsContext:
        """Return the empty context of a document in a language, by its LSP id."""
        return StreamsContext(self._network, self._tokenizer.begin(language))

    def read(self, hole: Hole) -> Tokens:
        """Return the tokens of a hole; see `model.Model`."""
        return Window(self.before, self.after, self.snippets).read(hole, self._tokenizer)

    def encode(self, context: StreamsContext, tokens: Tokens, has_time: Callable[[], bool]) -> int:
        """Encode a piece of what is new around a hole; see `model.Model`."""
        encoded = context.become(tokens.before, tokens.after, PIECE)
        return encoded + context.relate(tokens.snippets, has_time, PIECE - encoded)

    def surroundings(self, context: StreamsContext, canvas: int) -> AbstractContextManager[Surroundings]:
        """Lay a context's streams side by side, with room for up to `canvas` tokens behind them."""
        return self._network.surroundings(context.streams, canvas)

    def denoise(self, canvases: Sequence[Tensor], around: Sequence[Surroundings]) -> list[Tensor]:
        """Return the log-probabilities [n, vocabulary] of canvases [n]; see `model.Model`."""
        return self._network.denoise(canvases, around)
