"""Keys and values of a token sequence, in every layer: a store that grows and is cut at one end."""

from __future__ import annotations

import torch
from torch import Tensor


class KeyValues:
    """Room for `capacity` tokens, of which `length` are valid; writing beyond them does not move `length`."""

    def __init__(
        self,
        layers: int,
        heads: int,
        capacity: int,
        head_width: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._store = torch.empty(2, layers, heads, capacity, head_width, dtype=dtype, device=device)
        self.length = 0

    @property
    def capacity(self) -> int:
        """How many tokens there is room for."""
        return self._store.shape[3]

    @property
    def bytes(self) -> int:
        """The memory it takes."""
        return self._store.nbytes

    @property
    def keys(self) -> Tensor:
        """The valid keys [layers, heads, length, head width]."""
        return self._store[0, :, :, : self.length]

    @property
    def values(self) -> Tensor:
        """The valid values, shaped like the keys."""
        return self._store[1, :, :, : self.length]

    def write(self, layer: int, start: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put keys and values [1, heads, n, head width] at `start`; return this layer's [1, heads, start + n, ...]."""
        end = start + keys.shape[2]
        assert end <= self.capacity, "written beyond the store"
        self._store[0, layer, :, start:end] = keys[0]
        self._store[1, layer, :, start:end] = values[0]
        return self._store[0, layer, None, :, :end], self._store[1, layer, None, :, :end]

    def extend(self, keys: Tensor, values: Tensor) -> None:
        """Append the keys and values of every layer [layers, heads, n, head width]."""
        end = self.length + keys.shape[2]
        self._store[0, :, :, self.length : end] = keys
        self._store[1, :, :, self.length : end] = values
        self.length = end

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens."""
        assert 0 <= length <= self.length
        self.length = length
