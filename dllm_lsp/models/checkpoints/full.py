"""A checkpoint of a family with full attention: the network, and what its family says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.families import Family, Files, recognize
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.checkpoints.vocabulary import read_json, read_vocabulary
from dllm_lsp.models.checkpoints.weights import WeightFiles, unfilled
from dllm_lsp.models.network.quantization import quantize
from dllm_lsp.models.network.transformer import Transformer


@dataclass(frozen=True, slots=True)
class Bidirectional:
    """A network in which every token sees every other."""

    architecture: ClassVar[str] = "full"

    transformer: Transformer
    family: Family

    def quantize(self, precision: str, device: torch.device) -> None:
        """Bring the network onto a device, with its matrices as "int8" or "fp8"."""
        quantize(self.transformer, precision, device)


def load_bidirectional(
    folder: Path, device: torch.device, dtype: torch.dtype
) -> tuple[Bidirectional, TextTokenizer]:
    """Load the network onto a device, in a precision; raise CheckpointError."""
    weights = WeightFiles(folder)
    vocabulary = read_vocabulary(folder)
    config, generation = (read_json(folder / f"{name}.json") for name in ("config", "generation_config"))
    try:
        family = recognize(Files(str(folder), config, generation, weights.shapes.keys(), vocabulary))
    except CheckpointError as error:
        raise CheckpointError(f"the checkpoint in {folder} cannot be used: {error}") from error
    with unfilled():
        transformer = Transformer(family.transformer)
    weights.load(
        transformer, lambda name: family.layout.place(name, family.transformer), device=device, dtype=dtype
    )
    return Bidirectional(transformer.eval().requires_grad_(False), family), vocabulary.tokenizer
