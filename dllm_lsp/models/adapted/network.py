"""A causal base and its adapter: the base alone reads the code around a hole, both together write into it.

An adapter is an object beside the base, so that one base, in one copy, serves any number of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from dllm_lsp.models.network.transformer import Transformer


class Factors(NamedTuple):
    """Low-rank matrices (Hu et al. 2021) of one matrix W [out, in], which becomes W + up @ down.

    down [rank, in], up [out, rank], the scale that PEFT keeps apart included.
    """

    down: Tensor
    up: Tensor


class LowRank:
    """An adapter as a pass takes it: the terms `up @ down @ x` of its matrices, added to what the base makes of x."""

    def __init__(
        self, factors: Mapping[str, list[Factors]], device: torch.device, dtype: torch.dtype
    ) -> None:
        """`factors` are by the name of a matrix in `Transformer`, as many as it stacks, in order."""
        self._terms = {name: _Terms.of(parts, device, dtype) for name, parts in factors.items()}

    def amend(self, layer: int, matrix: str, x: Tensor, y: Tensor) -> None:
        """Add this adapter's terms to y [batch, length, out], in place; see `Amend`."""
        terms = self._terms.get(f"blocks.{layer}.{matrix}.weight")
        if terms is not None:
            terms.add(x.flatten(0, 1), y.view(-1, y.shape[-1]))


class _Terms(NamedTuple):
    """The factors of what one matrix stacks: their downs side by side, transposed, and each one's up, transposed."""

    down: Tensor
    ups: list[Tensor]

    @classmethod
    def of(cls, parts: list[Factors], device: torch.device, dtype: torch.dtype) -> _Terms:
        down = torch.cat([part.down for part in parts]).t()
        # Transposed and contiguous, as processors multiply few rows fastest.
        return cls(
            down.to(device, dtype).contiguous(),
            [part.up.t().to(device, dtype).contiguous() for part in parts],
        )

    def add(self, x: Tensor, y: Tensor) -> None:
        inner, at, start = x @ self.down, 0, 0
        for up in self.ups:
            rank, rows = up.shape
            y[:, start : start + rows].addmm_(inner[:, at : at + rank], up)
            at, start = at + rank, start + rows


class Adapted(NamedTuple):
    """`base` reads streams, and with the `adapter` canvas rows; `mask` [width] is what a masked row is embedded as."""

    base: Transformer
    adapter: LowRank
    mask: Tensor
