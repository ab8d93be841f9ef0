"""The adapter of a run, as it is shipped: factors and mask in bfloat16, and what they were trained with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from msgspec import Struct, convert, structs

from dllm_lsp.models.adapted.geometry import SNIPPETS, geometry
from dllm_lsp.models.adapted.network import Factors
from dllm_lsp.models.checkpoints.adapter import read_adapter, write_adapter
from dllm_lsp.models.checkpoints.causal import Trained, trained_with
from dllm_lsp.training.adaptation.adapter import PARTS, Adapter
from dllm_lsp.training.adaptation.base import BaseShape


class Totals(Struct, kw_only=True):
    """What an adapter has been trained with, all sessions together."""

    steps: int = 0
    windows: int = 0
    holes: int = 0
    targets: int = 0
    seconds: float = 0.0
    processors: list[str] = []

    def note(self, processor: str) -> None:
        """Remember what kind of processor trains."""
        if processor not in self.processors:
            self.processors.append(processor)


class BaseName(Struct, frozen=True):
    """The base that an adapter is for: its name, for people, and the fingerprint of its weights."""

    name: str
    fingerprint: str


def save_adapter(
    folder: Path, adapter: Adapter, base: BaseName, totals: Totals, *, canvas: int, languages: Sequence[str]
) -> None:
    """Write the adapter's folder. It was trained with holes of up to `canvas` tokens, in files in these languages."""
    write_adapter(
        folder,
        factors={
            name: Factors(*(factor.detach().bfloat16().cpu() for factor in pair))
            for name, pair in _named(adapter).items()
        },
        mask=adapter.mask.detach().bfloat16().cpu(),
        base=base.fingerprint,
        base_name=base.name,
        metadata={
            "geometry": geometry(),
            "snippets": SNIPPETS,
            "canvas": canvas,
            "languages": languages,
            "totals": structs.asdict(totals),
        },
    )


def begin_with(folder: Path, shape: BaseShape, base: BaseName) -> tuple[Adapter, Trained]:
    """Return a stored adapter as one that is trained on, and how it was trained.

    Raises CheckpointError or ValueError for another base's.
    """
    stored = read_adapter(folder, base.fingerprint, shape.config)
    adapter = Adapter(shape, len(next(iter(stored.factors.values())).down), stored.mask)
    load_adapter(folder, adapter, base)
    return adapter, trained_with(stored.metadata)


def load_adapter(folder: Path, adapter: Adapter, base: BaseName) -> Totals:
    """Put the stored factors into an adapter; raise CheckpointError or ValueError for those of another one."""
    stored = read_adapter(folder, base.fingerprint, adapter.shape.config)
    if stored.metadata.get("geometry") != geometry():
        raise ValueError(f"the adapter in {folder} was trained with another geometry")
    with torch.no_grad():
        for name, pair in _named(adapter).items():
            if name not in stored.factors:
                raise ValueError(f"the adapter in {folder} has no factors of {name}")
            for parameter, value in zip(pair, stored.factors[name], strict=True):
                if parameter.shape != value.shape:
                    raise ValueError(f"the adapter in {folder} has another rank: {name} differs")
                parameter.copy_(value)
        adapter.mask.copy_(stored.mask)
    return convert(stored.metadata["totals"], Totals)


def _named(adapter: Adapter) -> dict[str, Factors]:
    """Return the factors by the published names of their matrices."""
    named = {}
    for layer in range(adapter.shape.layers):
        for product, matrices in PARTS.items():
            factors = adapter.of(layer, product)
            for matrix, down, up in zip(matrices, factors[0::2], factors[1::2], strict=True):
                named[f"model.layers.{layer}.{matrix}"] = Factors(down, up)
    return named
