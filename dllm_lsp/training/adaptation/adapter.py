"""The adapter: low-rank factors of every matrix (Hu et al. 2021) and the embedding of the mask.

Master weights are float32; the network reads matrices into which the factors are merged, anew after every step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dllm_lsp.training.adaptation.base import Base, BaseShape

PARTS = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "out": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
"""The matrices that each product of a layer stacks, by their published names."""


class Adapter(nn.Module):
    """Factors A [rank, in] and B [out, rank] of every matrix, so that it becomes W + B A; `mask`: [width]."""

    def __init__(self, shape: BaseShape, rank: int, mask: Tensor) -> None:
        super().__init__()
        self.shape, self.rank = shape, rank
        self.mask = nn.Parameter(mask.float().clone())
        inputs = {"qkv": shape.width, "out": shape.width, "gate_up": shape.width, "down": shape.inner}
        self.factors = nn.ModuleList(
            nn.ModuleDict(
                {
                    product: nn.ParameterList(
                        factor
                        for rows in shape.outputs[product]
                        for factor in (
                            nn.Parameter(torch.randn(rank, inputs[product]) / math.sqrt(inputs[product])),
                            nn.Parameter(torch.zeros(rows, rank)),
                        )
                    )
                    for product in PARTS
                }
            )
            for _ in range(shape.layers)
        )

    def of(self, layer: int, product: str) -> list[Tensor]:
        """Return A_1, B_1, A_2, B_2, ... of a product of a layer."""
        return list(self.factors[layer][product])  # type: ignore[index]


class Merged:
    """The base's matrices with an adapter's factors added; `update` after each change of the adapter."""

    def __init__(self, base: Base, adapter: Adapter) -> None:
        self._base, self._adapter = base, adapter
        self.layers = [
            {product: torch.empty_like(getattr(layer, product)) for product in PARTS} for layer in base.layers
        ]
        self.update()

    @torch.no_grad()
    def update(self) -> None:
        """Merge the adapter as it is now."""
        for number, (layer, merged) in enumerate(zip(self._base.layers, self.layers, strict=True)):
            for product, target in merged.items():
                source, at = getattr(layer, product), 0
                factors = [factor.to(source.dtype) for factor in self._adapter.of(number, product)]
                for down, up in zip(factors[0::2], factors[1::2], strict=True):
                    part = slice(at, at + len(up))
                    torch.addmm(source[part], up, down, out=target[part])
                    at += len(up)
