"""Trains a model on a gathered corpus, as its architecture is trained."""

from __future__ import annotations

from pathlib import Path

from dllm_lsp.models.checkpoints.architectures import architecture_of
from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.architectures import trained


def train(corpus: Path, run: Path, preset: str, seconds: float, weights: Path | None = None) -> None:
    """Begin a run, or take up the one in the folder, whose own configuration then counts.

    `weights` is a model of the preset's shape to start from, its optimizer anew; without it the model is of the
    presets' own architecture. Raises CheckpointError, OSError, and ValueError for bad input.
    """
    architecture = architecture_of(weights) if weights else StreamsModel.architecture
    trained(architecture).train(corpus, run, preset, seconds, weights)
