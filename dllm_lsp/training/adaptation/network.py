"""Canvas rows through the adapted base."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dllm_lsp.models.adapted.geometry import POSITIONS
from dllm_lsp.training.adaptation.adapter import Adapter, Merged
from dllm_lsp.training.adaptation.base import Base, rotary
from dllm_lsp.training.adaptation.context import Context
from dllm_lsp.training.adaptation.functions import Group, adapted, attention, gated_unit

MASK = -1
"""Stands for the mask among ids."""


class Rows(NamedTuple):
    """Packed canvas rows. ids (or MASK) and positions: int64 [N]; their groups, in order."""

    ids: Tensor
    positions: Tensor
    groups: list[Group]


class Network:
    """A frozen base and the adapter that is trained."""

    def __init__(self, base: Base, adapter: Adapter) -> None:
        self.base, self.adapter = base, adapter
        self.merged = Merged(base, adapter)
        self.angles = rotary(base.shape, POSITIONS, base.device)

    def hidden(self, rows: Rows, context: Context) -> Tensor:
        """Return what the head reads of every row, [N, width]."""
        base = self.base
        angles = (self.angles[0][rows.positions, None], self.angles[1][rows.positions, None])
        masked = (rows.ids == MASK)[:, None]
        x = torch.where(masked, self.adapter.mask, base.embedding[rows.ids.clamp(min=0)].float())
        for number, layer in enumerate(base.layers):
            qkv = self._product(number, "qkv", self._normed(x, layer.attention_norm))
            seen = (context.keys[number], context.values[number])
            x = x + self._product(number, "out", attention(qkv, seen, angles, rows.groups))
            fed = gated_unit(self._product(number, "gate_up", self._normed(x, layer.feed_norm)))
            x = x + self._product(number, "down", fed)
        return self._normed(x, base.norm)

    def _product(self, layer: int, product: str, x: Tensor) -> Tensor:
        return adapted(x, self.merged.layers[layer][product], self.adapter.of(layer, product))

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(x, weight.shape, weight, self.base.shape.epsilon).to(self.base.dtype)
