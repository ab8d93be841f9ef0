"""From a checkpoint's folder to a model that the engine can ask. The only place that knows every architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dllm_lsp.engine.model import Model
from dllm_lsp.engine.streams import StreamsInfilling
from dllm_lsp.models.checkpoint import Checkpoint, load_checkpoint
from dllm_lsp.models.tokenizer import Tokenizer


def load_model(folder: Path, device: torch.device) -> tuple[Model[Any], Tokenizer]:
    """Load a model and its tokenizer onto a device; raise CheckpointError."""
    return infilling(load_checkpoint(folder, device))


def infilling(checkpoint: Checkpoint) -> tuple[Model[Any], Tokenizer]:
    """Return the checkpoint's network as the engine sees it, and its tokenizer."""
    network, tokenizer = checkpoint
    return StreamsInfilling(network, tokenizer), tokenizer
