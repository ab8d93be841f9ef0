"""From a checkpoint's folder to a model that the engine can ask, in the precision that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch

from dllm_lsp.engine.architectures import SERVED
from dllm_lsp.engine.model import Model
from dllm_lsp.models.checkpoints.checkpoint import Checkpoint, load_checkpoint, load_prepared
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.network.precision import QUANTIZED, check, resolved, storage


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
    # What is kept was asked for, or this machine gained from it; to measure that again might end otherwise.
    may_be_kept = device.type == "cpu" and precision in ("auto", "int8")
    if may_be_kept and (prepared := load_prepared(folder)) is not None:
        return Loaded(*infilling(prepared), "int8")
    # A model that is to be quantized may fit onto the device only afterwards.
    place = torch.device("cpu") if precision in QUANTIZED else device
    checkpoint = load_checkpoint(folder, place, storage(precision, device))
    chosen = resolved(precision, device, checkpoint.model.transformer)
    if chosen in QUANTIZED:
        checkpoint.model.quantize(chosen, device)
    return Loaded(*infilling(checkpoint), chosen)


def infilling(checkpoint: Checkpoint) -> tuple[Model[Any, Any, Any], TextTokenizer]:
    """Return the checkpoint's network as the engine sees it, and its tokenizer."""
    network, tokenizer = checkpoint
    return SERVED[network.architecture].model(network, tokenizer), tokenizer
