"""Keys and values of token sequences, in every layer: a store that grows and is cut at one end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Slot(NamedTuple):
    """One layer's keys and values [rows, heads, length, head width], and the ends of both that a pass writes."""

    keys: Tensor
    values: Tensor
    last_keys: Tensor
    last_values: Tensor

    def write(self, keys: Tensor, values: Tensor) -> None:
        """Put a pass's keys and values there: their numbers, not how they came about."""
        self.last_keys.copy_(keys.detach())
        self.last_values.copy_(values.detach())


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
        self._sizes, self._slots = (0, 0), list[Slot]()

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

    def slots(self, count: int) -> Sequence[Slot]:
        """Return room for `count` tokens behind the valid ones, a slot a layer, as long as all of these together.

        They are made anew only for other lengths than the last pass had: to cut tensors takes time too.
        """
        if self._sizes != (self.length, count):
            start, end = self.length, self.length + count
            assert end <= self.capacity, "written beyond the store"
            keys, values = self._store[:, :, :, :, :end]
            parts = (keys, values, keys[:, :, :, start:], values[:, :, :, start:])
            self._slots = [Slot(*layer) for layer in zip(*parts, strict=True)]
            self._sizes = (start, count)
        return self._slots

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
