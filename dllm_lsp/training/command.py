"""Trains a model on a gathered corpus: learns a tokenizer, or takes that of given weights, and runs the trainer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch

from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.batches import Batches
from dllm_lsp.training.config import CONFIG, PRESETS, TrainingConfig, read_config, write_config
from dllm_lsp.training.files import SourceFile, read_files
from dllm_lsp.training.snippets import SnippetTable
from dllm_lsp.training.trainer import Trainer

_TOKENIZER = "tokenizer.json"
_TOKENIZER_CHARACTERS = 40_000_000


def train(corpus: Path, run: Path, preset: str, seconds: float, weights: Path | None = None) -> None:
    """Begin a run, or take up the one in the folder, whose own configuration then counts.

    `weights` is a model of the preset's shape to start from, its optimizer anew. Raises CheckpointError, OSError, and
    ValueError for bad input.
    """
    run.mkdir(parents=True, exist_ok=True)
    config = _config(run, preset, seconds)
    model = _begin_from(weights, run, config) if weights else None
    files = read_files(corpus / "train.jsonl")
    tokenizer = _tokenizer(run, files, config)

    def batches(split: str, files: Sequence[SourceFile]) -> Batches:
        table = corpus / f"{split}.snippets.npz"
        related = SnippetTable.load(table, files) if config.batch.snippets else None
        return Batches(files, tokenizer, config.batch, config.seed, related)

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    heldout = batches("heldout", read_files(corpus / "heldout.jsonl"))
    trainer = Trainer(run, config, train=batches("train", files), heldout=heldout, device=device, model=model)
    size = sum(parameter.numel() for parameter in trainer.model.parameters())
    print(f"{size / 1e6:.2f}M parameters on {device}, {trainer.elapsed:.0f} of {config.seconds:.0f} s done")
    trainer.train()


def _config(run: Path, preset: str, seconds: float) -> TrainingConfig:
    """The run's own configuration, else the preset's, written down."""
    if (run / CONFIG).exists():
        return read_config(run)
    if preset not in PRESETS:
        raise ValueError(f'there is no preset "{preset}", but {", ".join(PRESETS)}')
    config = PRESETS[preset](seconds)
    write_config(run, config)
    return config


def _begin_from(weights: Path, run: Path, config: TrainingConfig) -> StreamsModel:
    """Load the weights and make their tokenizer the run's."""
    model, tokenizer = load_checkpoint(weights, torch.device("cpu"), torch.float32)
    if (
        not isinstance(model, StreamsModel)
        or not isinstance(tokenizer, Tokenizer)
        or model.config != config.model
    ):
        raise ValueError(f"the model in {weights} has not the shape that the run in {run} trains")
    tokenizer.save(run / _TOKENIZER)
    return model.train()


def _tokenizer(run: Path, files: Sequence[SourceFile], config: TrainingConfig) -> Tokenizer:
    path, size, languages = run / _TOKENIZER, config.model.transformer.vocabulary, config.batch.languages
    if not path.exists():
        texts = [file.text for file in files if not languages or file.language in languages]
        random.Random(config.seed).shuffle(texts)
        share = min(1.0, _TOKENIZER_CHARACTERS / max(1, sum(map(len, texts))))
        Tokenizer.train(texts[: max(1, int(share * len(texts)))], size).save(path)
    tokenizer = Tokenizer.load(path)
    if tokenizer.size > size:
        raise ValueError(f"{path} has {tokenizer.size} tokens, the model room for {size}")
    return tokenizer
