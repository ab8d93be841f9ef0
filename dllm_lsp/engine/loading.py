"""From a checkpoint's folder to a model that the engine can ask. The only place that knows every architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from dllm_lsp.engine.bidirectional import BidirectionalInfilling
from dllm_lsp.engine.model import Model
from dllm_lsp.engine.streams import StreamsInfilling
from dllm_lsp.models.bidirectional import Bidirectional
from dllm_lsp.models.checkpoint import Checkpoint, load_checkpoint
from dllm_lsp.models.tokenizer import TextTokenizer, Tokenizer


def load_model(folder: Path, device: torch.device) -> tuple[Model[Any], TextTokenizer]:
    """Load a model and its tokenizer onto a device; raise CheckpointError."""
    return infilling(load_checkpoint(folder, device))


def infilling(checkpoint: Checkpoint) -> tuple[Model[Any], TextTokenizer]:
    """Return the checkpoint's network as the engine sees it, and its tokenizer."""
    network, tokenizer = checkpoint
    if isinstance(network, Bidirectional):
        return BidirectionalInfilling(network, tokenizer), tokenizer
    assert isinstance(tokenizer, Tokenizer)
    return StreamsInfilling(network, tokenizer), tokenizer
