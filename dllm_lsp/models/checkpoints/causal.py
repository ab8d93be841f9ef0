"""A causal base in a folder, and the adapter for it that ships with the package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from msgspec import Meta, Struct, ValidationError, convert

from dllm_lsp.fingerprints import known
from dllm_lsp.models.adapted.geometry import CANVAS, POSITIONS, SNIPPETS, geometry
from dllm_lsp.models.adapted.network import Adapted, LowRank
from dllm_lsp.models.checkpoints import prepared
from dllm_lsp.models.checkpoints.adapter import RECORD, read_adapter, stacked
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.layouts import QWEN
from dllm_lsp.models.checkpoints.shapes import qwen_shape
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.checkpoints.vocabulary import read_json, read_vocabulary
from dllm_lsp.models.checkpoints.weights import WeightFiles, unfilled
from dllm_lsp.models.network.quantization import quantize
from dllm_lsp.models.network.transformer import Transformer

ADAPTERS = Path(__file__).parents[1] / "adapters"
"""The adapters that ship with the package, each in a folder of its base's name."""


class Trained(Struct, frozen=True, kw_only=True):
    """How an adapter was trained: where streams stood, the most snippets, the largest canvas in tokens, and on what.

    `languages` are named as their records are; none: not known.
    """

    geometry: dict[str, Any]
    snippets: Annotated[int, Meta(ge=0, le=SNIPPETS)]
    canvas: Annotated[int, Meta(ge=1, le=CANVAS)]
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Causal:
    """An adapted base; `snippets` and `canvas` (tokens) are the most that its adapter was trained with.

    `languages` are those that it was trained on; none: not known. `fingerprint` is that of the base's weights as they
    were stored; without it nothing of them is kept for the next start.
    """

    architecture: ClassVar[str] = "causal"

    network: Adapted
    fingerprint: str
    snippets: int
    canvas: int
    languages: tuple[str, ...] = ()

    @property
    def transformer(self) -> Transformer:
        """The base."""
        return self.network.base

    def quantize(self, precision: str, device: torch.device) -> None:
        """Bring the base onto a device, with its matrices as "int8" or "fp8"; the adapter stays as precise as it is.

        In int8 on a CPU it is kept for `load_prepared`.
        """
        quantize(self.network.base, precision, device)
        if self.fingerprint and precision == "int8" and device.type == "cpu":
            prepared.keep(self.fingerprint, self.network.base)

    def adapted(self, folder: Path) -> Causal:
        """Return the same base, not copied, with the adapter in a folder; raise CheckpointError."""
        mask = self.network.mask
        return _adapted(self.network.base, self.fingerprint, folder, mask.device, mask.dtype)


def load_causal(folder: Path, device: torch.device, dtype: torch.dtype) -> tuple[Causal, TextTokenizer]:
    """Load a base onto a device, in a precision, and its adapter; raise CheckpointError."""
    base, tokenizer = load_base(folder, device, dtype)
    return _adapted(base, known(folder) or "", shipped_adapter(folder), device, dtype), tokenizer


def load_prepared(folder: Path) -> tuple[Causal, TextTokenizer] | None:
    """Load a base that an earlier start has brought into int8, and its adapter; None where there is no such base.

    Raises CheckpointError for whatever else is wrong.
    """
    base, fingerprint = _unfilled(folder, WeightFiles(folder)), known(folder) or ""
    if not prepared.fill(base, fingerprint):
        return None
    adapted = _adapted(_ready(base), fingerprint, shipped_adapter(folder), torch.device("cpu"), torch.float32)
    return adapted, read_vocabulary(folder).tokenizer


def load_base(folder: Path, device: torch.device, dtype: torch.dtype) -> tuple[Transformer, TextTokenizer]:
    """Load a base alone; raise CheckpointError."""
    weights = WeightFiles(folder)
    base = _unfilled(folder, weights)
    weights.load(base, lambda name: QWEN.place(name, base.config), device=device, dtype=dtype)
    return _ready(base), read_vocabulary(folder).tokenizer


def _unfilled(folder: Path, weights: WeightFiles) -> Transformer:
    """Return a base without values; raise CheckpointError for one that cannot be used."""
    config = read_json(folder / "config.json")
    tensors, kind = weights.shapes.keys(), config.get("model_type")
    shape = qwen_shape(config, tensors, bias=kind == "qwen2", qk_norm=kind == "qwen3")
    if shape.positions < POSITIONS:
        raise CheckpointError(
            f"the base in {folder} knows {shape.positions} positions, and {POSITIONS} are needed"
        )
    with unfilled():
        return Transformer(shape.transformer)


def _ready(base: Transformer) -> Transformer:
    return base.eval().requires_grad_(False)


def adapter_record(folder: Path) -> Path:
    """Return the file that describes the adapter for the base in a folder; raise CheckpointError if there is none."""
    return shipped_adapter(folder) / RECORD


def shipped_adapter(folder: Path) -> Path:
    """Return the folder of the adapter for a base; raise CheckpointError if none is here."""
    name = read_json(folder / "config.json").get("base")
    found = ADAPTERS / str(name)
    if not isinstance(name, str) or found.parent != ADAPTERS or not found.is_dir():
        named = sorted(each.name for each in ADAPTERS.glob("*") if each.is_dir())
        raise CheckpointError(
            f"the base in {folder} has no adapter that makes it an infiller: this version of dllm-lsp ships one for "
            f"{', '.join(named) or 'none'}"
        )
    return found


def _adapted(
    base: Transformer, fingerprint: str, folder: Path, device: torch.device, dtype: torch.dtype
) -> Causal:
    """Return a base with the adapter in a folder, which is brought onto a device in a precision."""
    found = read_adapter(folder, fingerprint, base.config)
    trained = trained_with(found.metadata)
    adapter = LowRank(stacked(found.factors, base.config), device, dtype)
    network = Adapted(base, adapter, found.mask.to(device, dtype))
    return Causal(network, fingerprint, trained.snippets, trained.canvas, trained.languages)


def trained_with(metadata: Mapping[str, Any]) -> Trained:
    """Return how an adapter was trained; raise CheckpointError unless it was with today's geometry."""
    try:
        trained = convert(metadata, Trained)
    except ValidationError as error:
        raise CheckpointError(f"the adapter does not say how it was trained: {error}") from error
    if trained.geometry != geometry():
        raise CheckpointError(
            "the adapter was trained with other places for its streams than this version of dllm-lsp gives them"
        )
    return trained
