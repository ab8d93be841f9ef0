"""Where passes of a full-attention network keep keys and values: rooms that are lent to one user after the other.

A room's tensors stay where they are, so that a pass in it can be captured once and replayed for every request. Knows no
canvases: what lies in which column of a row, and at which position, it is told.
"""

from __future__ import annotations

import weakref

import torch
from torch import Tensor

from dllm_lsp.models.network.attention import Heads, best
from dllm_lsp.models.network.graphs import Captured
from dllm_lsp.models.network.transformer import Transformer

GPU_STEP = 256
"""On a GPU, rooms have a multiple of so many columns, so that a context that grows a little fits into the same one."""

IDLE = 4
"""How many rooms are kept while nobody uses them."""


class Room:
    """Keys and values of `rows` sequences of up to `capacity` tokens, in every layer."""

    def __init__(self, transformer: Transformer, rows: int, capacity: int) -> None:
        shape, weight = transformer.config, transformer.norm.weight
        self._transformer = transformer
        self._kernel = best(
            Heads(weight.device, weight.dtype, shape.heads, shape.key_value_heads, shape.head_width)
        )
        size = (2, shape.layers, rows, shape.key_value_heads, capacity, shape.head_width)
        # Zeros, because what nobody wrote yet is weighed with 0, and 0 * NaN is NaN.
        self.store = torch.zeros(size, dtype=weight.dtype, device=weight.device)
        self.captured = Captured(self.run)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and capacity."""
        return self.store.shape[2], self.store.shape[4]

    def run(self, ids: Tensor, positions: Tensor, columns: Tensor, seen: Tensor, wanted: Tensor) -> Tensor:
        """One pass over ids [rows, n]; return the logits [rows, m, vocabulary] of those `wanted` [rows, m].

        The tokens stand at `positions` [rows, n] of the text and lie in `columns` [rows, n] of the room; each sees the
        first `seen` [rows] columns of its row. `captured` is the same, for shapes that come again.
        """
        rotate = self._transformer.rotation(positions[:, None])
        mix = self._kernel(seen, ids.shape[1], self.store.shape[4])

        def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            keys, values = self.store[:, layer]
            where = columns[:, None, :, None].expand_as(key)
            keys.scatter_(2, where, rotate(key))
            values.scatter_(2, where, value)
            return mix(rotate(query), keys, values)

        hidden: Tensor = self._transformer(self._transformer.embedding(ids), attend)
        return self._transformer.logits(hidden.take_along_dim(wanted[..., None], dim=1))


class Rooms:
    """The rooms of a network."""

    def __init__(self, transformer: Transformer) -> None:
        self._transformer = transformer
        self._idle: list[Room] = []

    def lend(self, user: object, rows: int, capacity: int) -> Room:
        """Return a room for at least `capacity` tokens in each row; it comes back when `user` is gone."""
        if self._transformer.norm.weight.is_cuda:
            capacity = -(-capacity // GPU_STEP) * GPU_STEP
        fitting = [room for room in self._idle if room.size == (rows, capacity)]
        room = fitting[-1] if fitting else Room(self._transformer, rows, capacity)
        self._idle = [other for other in self._idle if other is not room]
        weakref.finalize(user, self._take_back, room)
        return room

    def _take_back(self, room: Room) -> None:
        self._idle = [*self._idle, room][-IDLE:]
