"""Keys and values of one token sequence, in every layer: a store that grows and is cut at one end."""

from __future__ import annotations

import mmap
from math import prod

import torch
from torch import Tensor

from dllm_lsp.models.network.transformer import Transformer


class KeyValues:
    """Room for `capacity` tokens, of which the first `length` are valid. `write` does not change `length`."""

    def __init__(self, transformer: Transformer, capacity: int) -> None:
        shape, weight = transformer.config, transformer.norm.weight
        size = (2, shape.layers, 1, shape.key_value_heads, capacity, shape.head_width)
        with torch.inference_mode(False):  # a store may outlive the mode in which it was made
            self._store = _zeros(size, weight)
        self.layers = list(zip(*self._store, strict=True))
        """Each layer's keys and values, [1, heads, capacity, head width]."""
        self.length = 0

    @property
    def capacity(self) -> int:
        """How many tokens there is room for."""
        return self._store.shape[4]

    @property
    def bytes(self) -> int:
        """The memory it takes."""
        return self._store.nbytes

    @property
    def keys(self) -> Tensor:
        """The valid keys [layers, heads, length, head width]."""
        return self._store[0, :, 0, :, : self.length]

    @property
    def values(self) -> Tensor:
        """The valid values, shaped like the keys."""
        return self._store[1, :, 0, :, : self.length]

    def write(self, layer: int, columns: Tensor, keys: Tensor, values: Tensor) -> None:
        """Put a pass's keys and values [1, heads, n, head width] into columns [n], detached from gradients."""
        for kept, new in zip(self.layers[layer], (keys, values), strict=True):
            kept.index_copy_(2, columns, new.detach())

    def append(self, keys: Tensor, values: Tensor) -> slice:
        """Put every layer's keys and values [layers, heads, n, head width] at the end; return the columns they got."""
        start, end = self.length, self.length + keys.shape[2]
        assert end <= self.capacity, "written beyond the store"
        self._store[0, :, 0, :, start:end] = keys
        self._store[1, :, 0, :, start:end] = values
        self.length = end
        return slice(start, end)

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens."""
        assert 0 <= length <= self.length
        self.length = length


def _zeros(size: tuple[int, ...], like: Tensor) -> Tensor:
    """Return zeros, because what nobody wrote yet is weighed with 0 by some kernels, and 0 * NaN is NaN.

    On a CPU they are pages of the system's own: they take memory once they are written to, and go back when they are
    freed, where the allocator would keep them between smaller things.
    """
    count = prod(size)
    if not like.is_cpu or count == 0:
        return torch.zeros(size, dtype=like.dtype, device=like.device)
    pages = mmap.mmap(-1, count * like.element_size(), access=mmap.ACCESS_COPY)
    return torch.frombuffer(pages, dtype=like.dtype).view(size)
