"""From a checkpoint's folder to a model that the engine can ask. The only place that knows every architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch

from dllm_lsp.engine.adapters.full import BidirectionalInfilling
from dllm_lsp.engine.adapters.streams import StreamsInfilling
from dllm_lsp.engine.model import Model
from dllm_lsp.models.checkpoints.checkpoint import Checkpoint, load_checkpoint
from dllm_lsp.models.checkpoints.full import Bidirectional
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer, Tokenizer
from dllm_lsp.models.network.precision import QUANTIZED, check, resolved, storage
from dllm_lsp.models.network.quantization import quantize
from dllm_lsp.models.streams.copying import CopyHead
from dllm_lsp.models.streams.model import StreamsModel


class Loaded(NamedTuple):
    """A model as the engine sees it, its tokenizer, and the precision that it runs in."""

    model: Model[Any, Any, Any]
    tokenizer: TextTokenizer
    precision: str


def load_model(folder: Path, device: torch.device, precision: str = "auto") -> Loaded:
    """Load a model and its tokenizer onto a device, in a precision as the settings name it.

    Raises CheckpointError, or PrecisionError for one that the device has not.
    """
    check(precision, device)
    # A model that is to be quantized may fit onto the device only afterwards.
    place = torch.device("cpu") if precision in QUANTIZED else device
    checkpoint = load_checkpoint(folder, place, storage(precision, device))
    chosen = resolved(precision, device, checkpoint.model.transformer)
    if chosen in QUANTIZED:
        network = checkpoint.model
        if isinstance(network, StreamsModel):
            quantize(network, chosen, device, kept=(CopyHead,))  # which is small
        else:
            quantize(network.transformer, chosen, device)
    if isinstance(checkpoint.model, StreamsModel):
        checkpoint.model.to(device)
    return Loaded(*infilling(checkpoint), chosen)


def infilling(checkpoint: Checkpoint) -> tuple[Model[Any, Any, Any], TextTokenizer]:
    """Return the checkpoint's network as the engine sees it, and its tokenizer."""
    network, tokenizer = checkpoint
    if isinstance(network, Bidirectional):
        return BidirectionalInfilling(network, tokenizer), tokenizer
    assert isinstance(tokenizer, Tokenizer)
    return StreamsInfilling(network, tokenizer), tokenizer
