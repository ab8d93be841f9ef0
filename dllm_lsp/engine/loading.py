"""From a checkpoint's folder to a model that the engine can ask. The only place that knows every architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch

from dllm_lsp.engine.bidirectional import BidirectionalInfilling
from dllm_lsp.engine.model import Model
from dllm_lsp.engine.streams import StreamsInfilling
from dllm_lsp.models.bidirectional import Bidirectional
from dllm_lsp.models.checkpoint import Checkpoint, load_checkpoint
from dllm_lsp.models.precision import QUANTIZED, check, resolved, storage
from dllm_lsp.models.quantization import quantize
from dllm_lsp.models.streams import StreamsModel
from dllm_lsp.models.tokenizer import TextTokenizer, Tokenizer


class Loaded(NamedTuple):
    """A model as the engine sees it, its tokenizer, and the precision that it runs in."""

    model: Model[Any]
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
        quantize(network if isinstance(network, StreamsModel) else network.transformer, chosen, device)
    if isinstance(checkpoint.model, StreamsModel):
        checkpoint.model.to(device)
    return Loaded(*infilling(checkpoint), chosen)


def infilling(checkpoint: Checkpoint) -> tuple[Model[Any], TextTokenizer]:
    """Return the checkpoint's network as the engine sees it, and its tokenizer."""
    network, tokenizer = checkpoint
    if isinstance(network, Bidirectional):
        return BidirectionalInfilling(network, tokenizer), tokenizer
    assert isinstance(tokenizer, Tokenizer)
    return StreamsInfilling(network, tokenizer), tokenizer
