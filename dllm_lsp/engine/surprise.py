"""How much the code that is there surprises the model. Knows no architecture: the registry says what scores."""

from __future__ import annotations

from statistics import fmean

import torch

from dllm_lsp.engine.architectures import SERVED
from dllm_lsp.models.checkpoints.checkpoint import Checkpoint
from dllm_lsp.models.checkpoints.errors import CapabilityError


@torch.inference_mode()
def line_surprises(checkpoint: Checkpoint, text: str, language: str) -> list[float]:
    """Return how surprising each line of `text` is, in nats a token; blanks do not count, and a blank line is 0.

    Lines end with line feeds. Raises CapabilityError for a model that does not score what it reads.
    """
    network, tokenizer = checkpoint
    surprises = SERVED[network.architecture].surprises
    if surprises is None:
        able = (name for name, served in SERVED.items() if served.surprises)
        raise CapabilityError("say what surprises it", network.architecture, able)
    ids = tokenizer.encode(text)
    lines: list[list[float]] = [[]]
    scored = surprises(network, tokenizer, ids, language)
    for piece, surprise in zip(tokenizer.pieces(ids), scored, strict=True):
        if piece.strip():
            lines[-1].append(surprise)
        if piece.endswith("\n"):
            lines.append([])
    return [fmean(line) if line else 0.0 for line in lines]
