"""The bundled architecture behind the engine's protocols: exact contexts that grow and are cut at their near ends.

A stream's tokens see only those before them, so whatever prefix of it still stands is as good as fresh.
"""

from __future__ import annotations

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


class Side:
    """One side of a hole: the ids that were encoded, far end first, and what the network made of them."""

    def __init__(self, network: StreamsModel, role: int, capacity: int) -> None:
        self._network, self._role = network, role
        self.ids: list[int] = []
        self.stream = network.stream(capacity)

    def become(self, ids: list[int]) -> int:
        """Hold `ids`; return how many of them had to be encoded. What both begin with stays as it is."""
        shared = shared_prefix(self.ids, ids)
        fresh = ids[shared:]
        self.ids = ids[:shared]  # until the rest is encoded, so that this is true if that fails
        self.stream.cache.truncate(shared)
        if fresh:
            self._network.encode(torch.tensor(fresh, device=self._network.device), self._role, self.stream)
        self.ids = ids
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

    def become(self, before: list[int], after: list[int]) -> int:
        """Hold the code on both sides of a hole, in reading order; return how many tokens were encoded for it."""
        begin = [self._begin]
        return self._before.become(begin + before) + self._after.become(begin + after[::-1])

    def relate(self, snippets: Sequence[list[int]], has_time: Callable[[], bool]) -> int:
        """Hold related snippets, the best first; return how many tokens were encoded.

        Snippets that are encoded already cost nothing. Left out are those that are too many for the model, and those
        that are still to be encoded when `has_time` turns false.
        """
        limits, known = self._network.config, self._snippets
        wanted = [(self._begin, *ids[: limits.snippet_tokens - 1]) for ids in snippets[: limits.snippets]]
        self._snippets = {ids: known[ids] for ids in wanted if ids in known}
        encoded = 0
        for ids in wanted:
            if ids in self._snippets or not has_time():
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
        """Encode what is new around a hole; see `model.Model`."""
        return context.become(tokens.before, tokens.after) + context.relate(tokens.snippets, has_time)

    def surroundings(self, context: StreamsContext, canvas: int) -> AbstractContextManager[Surroundings]:
        """Lay a context's streams side by side, with room for up to `canvas` tokens behind them."""
        return self._network.surroundings(context.streams, canvas)

    def denoise(self, canvases: Sequence[Tensor], around: Sequence[Surroundings]) -> list[Tensor]:
        """Return the log-probabilities [n, vocabulary] of canvases [n]; see `model.Model`."""
        return self._network.denoise(canvases, around)
