"""A model in a folder: its configuration, its tokenizer and its weights, in safetensors of any floating-point type.

Reading runs none of a checkpoint's own code.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from dllm_lsp.models.checkpoints.architectures import LOADERS, PREPARED, Network, architecture_of
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer


class Checkpoint(NamedTuple):
    """A model ready to run, and its tokenizer."""

    model: Network
    tokenizer: TextTokenizer


def load_checkpoint(folder: Path, device: torch.device, dtype: torch.dtype | None = None) -> Checkpoint:
    """Load the model onto a device; raise CheckpointError.

    `dtype` None is float32 on a CPU and bfloat16 elsewhere.
    """
    dtype = dtype or (torch.float32 if device.type == "cpu" else torch.bfloat16)
    return Checkpoint(*LOADERS[architecture_of(folder)](folder, device, dtype))


def load_prepared(folder: Path) -> Checkpoint | None:
    """Load the model onto the CPU in int8, if an earlier start has kept it so; raise CheckpointError."""
    load = PREPARED.get(architecture_of(folder))
    found = None if load is None else load(folder)
    return None if found is None else Checkpoint(*found)
