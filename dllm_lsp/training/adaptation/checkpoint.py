"""An adapter's folder: PEFT's two files, and beside them what is ours: the mask's embedding and how it was trained.

Each file is replaced whole. The factors are stored in bfloat16.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct, json
from torch import Tensor

from dllm_lsp.models.adapted.geometry import CANVAS, END, HEAD, SINK, SNIPPETS, Kind
from dllm_lsp.training.adaptation.adapter import PARTS, Adapter
from dllm_lsp.training.state import read_tensors, write_tensors

CONFIG, WEIGHTS, INFILLING, MASK = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "infilling.json",
    "infilling.safetensors",
)


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


class _Infilling(Struct, kw_only=True):
    geometry: dict[str, Any]
    totals: Totals


def save_adapter(folder: Path, adapter: Adapter, base: str, totals: Totals) -> None:
    """Write the adapter's folder; `base` is the name of the model that it is for."""
    tensors = {name: factor.detach().bfloat16().cpu() for name, factor in _named(adapter)}
    write_tensors(folder / WEIGHTS, tensors, {})
    write_tensors(folder / MASK, {"mask": adapter.mask.detach().bfloat16().cpu()}, {})
    _write(folder / CONFIG, json.format(json.encode(_config(adapter, base))))
    described = _Infilling(geometry=_geometry(), totals=totals)
    _write(folder / INFILLING, json.format(json.encode(described)))


def load_adapter(folder: Path, adapter: Adapter) -> Totals:
    """Put the stored factors into an adapter; raise ValueError if they are missing or have other shapes."""
    stored = read_tensors(folder / WEIGHTS, torch.device("cpu"))[0]
    stored |= read_tensors(folder / MASK, torch.device("cpu"))[0]
    with torch.no_grad():
        for name, parameter in [*_named(adapter), ("mask", adapter.mask)]:
            if name not in stored or stored[name].shape != parameter.shape:
                raise ValueError(f"{folder} holds no adapter of this shape: {name} is missing or differs")
            parameter.copy_(stored[name])
    described = json.decode((folder / INFILLING).read_bytes(), type=_Infilling)
    if described.geometry != _geometry():
        raise ValueError(f"the adapter in {folder} was trained with another geometry")
    return described.totals


def _named(adapter: Adapter) -> list[tuple[str, Tensor]]:
    """Name the factors as PEFT does."""
    named = []
    for layer in range(adapter.shape.layers):
        for product, matrices in PARTS.items():
            factors = adapter.of(layer, product)
            for matrix, down, up in zip(matrices, factors[0::2], factors[1::2], strict=True):
                name = f"base_model.model.model.layers.{layer}.{matrix}"
                named += [(f"{name}.lora_A.weight", down), (f"{name}.lora_B.weight", up)]
    return named


def _config(adapter: Adapter, base: str) -> dict[str, Any]:
    names = [matrix.split(".")[1] for matrices in PARTS.values() for matrix in matrices]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": adapter.rank,
        "lora_alpha": adapter.rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": names,
        "inference_mode": True,
    }


def _geometry() -> dict[str, Any]:
    kinds = {kind.name.lower(): {"mark": kind.mark, "positions": kind.positions} for kind in Kind}
    return {"sink": SINK, "end": END, "head": HEAD, "snippets": SNIPPETS, "canvas": CANVAS, "streams": kinds}


def _write(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content + b"\n")
    os.replace(new, path)
