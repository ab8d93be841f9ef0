"""Keys and values of token sequences, in every layer: a store that grows and is cut at one end."""

from __future__ import annotations

import torch
from torch import Tensor


class KeyValues:
    """Room for `capacity` tokens a row, of which `length` are valid; writing beyond them does not move `length`."""

    def __init__(
        self,
        layers: int,
        rows: int,
        heads: int,
        capacity: int,
        head_width: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        # Zeros, because rows that are shorter than others are padded with what lies here, and 0 * NaN is NaN.
        with torch.inference_mode(False):  # a store may outlive the mode in which it was made
            self._store = torch.zeros(
                2, layers, rows, heads, capacity, head_width, dtype=dtype, device=device
            )
        self.length = 0

    @property
    def capacity(self) -> int:
        """How many tokens there is room for in each row."""
        return self._store.shape[4]

    @property
    def bytes(self) -> int:
        """The memory it takes."""
        return self._store.nbytes

    @property
    def keys(self) -> Tensor:
        """The valid keys [layers, rows, heads, length, head width]."""
        return self._store[0, :, :, :, : self.length]

    @property
    def values(self) -> Tensor:
        """The valid values, shaped like the keys."""
        return self._store[1, :, :, :, : self.length]

    def write(self, layer: int, start: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put keys and values [rows, heads, n, head width] at `start`; return this layer's, up to their end."""
        end = start + keys.shape[2]
        assert end <= self.capacity, "written beyond the store"
        self._store[0, layer, :, :, start:end] = keys
        self._store[1, layer, :, :, start:end] = values
        return self._store[0, layer, :, :, :end], self._store[1, layer, :, :, :end]

    def put(self, row: int, start: int, keys: Tensor, values: Tensor) -> None:
        """Put every layer's keys and values [layers, heads, n, head width] into a row at `start`."""
        end = start + keys.shape[2]
        assert end <= self.capacity, "written beyond the store"
        self._store[0, :, row, :, start:end] = keys
        self._store[1, :, row, :, start:end] = values

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens."""
        assert 0 <= length <= self.length
        self.length = length
