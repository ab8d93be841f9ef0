"""Where passes keep keys and values: rooms that are lent to one user after the other.

A room's tensors stay where they are, so that a pass in it can be captured once and replayed for every request; and
memory that was used before costs less than fresh memory. Knows no canvases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from dllm_lsp.models.network.graphs import Captured
from dllm_lsp.models.network.keyvalues import KeyValues
from dllm_lsp.models.network.passes import Span, cached_pass
from dllm_lsp.models.network.transformer import Transformer

STEP = 256
"""Rooms have a multiple of so many columns, so that a sequence that grows a little fits into the same one."""

IDLE = 4
"""How many rooms are kept while nobody uses them."""


class Room:
    """A store, and passes of plain tokens in it. Values that earlier users left are finite, and no pass sees them."""

    def __init__(self, transformer: Transformer, capacity: int) -> None:
        self._transformer = transformer
        self.store = KeyValues(transformer, capacity)
        self.held: Sequence[Any] = ()
        """What its last user says lies in its first columns still; for users who lay the same again."""
        self.captured = Captured(self.run)

    def run(self, ids: Tensor, positions: Tensor, columns: Tensor, seen: Tensor, wanted: Tensor) -> Tensor:
        """One pass over ids [n]; return the logits [m, vocabulary] of those `wanted` [m].

        The tokens stand at `positions` [n] of the text and lie in `columns` [n] of the room; each sees its first `seen`
        [1] columns. `captured` is the same, for shapes that come again.
        """
        embedded = self._transformer.embedding(ids)
        rotate = self._transformer.rotation(positions)
        hidden = cached_pass(self._transformer, embedded, rotate, [Span(self.store, columns, seen)])
        return self._transformer.logits(hidden[wanted])


class Pool:
    """The rooms of a network. Each holds at least `least` tokens; `idle` of them are kept while nobody uses them."""

    def __init__(self, transformer: Transformer, least: int = 0, idle: int = IDLE) -> None:
        self._transformer, self._least, self._most_idle = transformer, least, idle
        self._idle: list[Room] = []

    @contextmanager
    def lend(self, capacity: int) -> Iterator[Room]:
        """Lend a room with an empty store for at least `capacity` tokens; the end of the block gives it back."""
        fitting = [room for room in self._idle if room.store.capacity >= capacity]
        if fitting:
            # Of those alike the one used last, which is warm.
            room = min(reversed(fitting), key=lambda room: room.store.capacity)
            self._idle.remove(room)
        else:
            rounded = -(-max(capacity, self._least) // STEP) * STEP
            room = Room(self._transformer, rounded)
        room.store.truncate(0)
        try:
            yield room
        finally:
            self._idle = [*self._idle, room][-self._most_idle :]
