"""Fine-tunes a model on the files of one repository, and keeps the result only if it is better there.

Knows no settings, no command line and no engine: how good a model is, it is told.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from msgspec import DecodeError, Struct, json, structs

from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.batches import BatchConfig, Batches
from dllm_lsp.training.config import TrainingConfig
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.repository import Split
from dllm_lsp.training.snippets import SnippetTable
from dllm_lsp.training.state import read_tensors
from dllm_lsp.training.trainer import BEST, Trainer

RUN, RESULT = "run", "result"
_BEFORE = "before.json"
_REPOSITORY = "."
_LEAST_SHARE = 0.3  # of the budget goes into training, however slow the measuring is


class Score(Struct, frozen=True):
    """Of `places`, the share that a model fills exactly right, and how many seconds that took to find out."""

    places: int
    exact: float
    seconds: float


class Outcome(NamedTuple):
    """The base model's score and the fine-tuned one's; None where training was stopped before its end.

    The result lies in `RESULT` of the folder if it is better.
    """

    before: Score
    after: Score | None


class Base(NamedTuple):
    """The model to begin with: its folder, and a hash of what lies there."""

    folder: Path
    fingerprint: str


Measure = Callable[[Path, int | None], Score]
"""How well the model in a folder does on the files held out, at so many places or at as many as there is time for."""


class _Before(Struct, frozen=True):
    """What a run began with: another base, or another budget, begins anew."""

    fingerprint: str
    seconds: float
    score: Score


def fine_tune(folder: Path, base: Base, files: Split, seconds: float, measure: Measure) -> Outcome:
    """Train the model `base` on the files for a budget of wall-clock seconds, measuring included.

    A run that was stopped is taken up from `folder`. Raises CheckpointError, OSError, and ValueError for a model that
    cannot be trained.
    """
    run, result = folder / RUN, folder / RESULT
    shutil.rmtree(result, ignore_errors=True)
    before = _begun(run, base.fingerprint, seconds)
    if before is None:
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        before = _Before(base.fingerprint, seconds, measure(base.folder, None))
        (run / _BEFORE).write_bytes(json.encode(before))
    trainer, tokenizer = _trainer(run, base.folder, files, _training_seconds(before))
    trainer.train()
    if not trainer.is_finished:
        return Outcome(before.score, None)
    after = before.score
    if (run / BEST).exists():
        best, _ = read_tensors(run / BEST, torch.device("cpu"))
        trainer.model.cpu().load_state_dict(best)
        save_checkpoint(result, trainer.model, tokenizer, torch.float16)
        after = measure(result, after.places)
    if after.exact <= before.score.exact:
        shutil.rmtree(result, ignore_errors=True)
    shutil.rmtree(run)
    return Outcome(before.score, after)


def _begun(run: Path, fingerprint: str, seconds: float) -> _Before | None:
    """Return what a run in this folder began with, or None if there is none to take up."""
    try:
        before = json.decode((run / _BEFORE).read_bytes(), type=_Before)
    except (OSError, DecodeError):
        return None
    return before if (before.fingerprint, before.seconds) == (fingerprint, seconds) else None


def _training_seconds(before: _Before) -> float:
    return max(before.seconds - 2 * before.score.seconds, _LEAST_SHARE * before.seconds)


def _trainer(run: Path, base: Path, files: Split, seconds: float) -> tuple[Trainer, Tokenizer]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, tokenizer = load_checkpoint(base, torch.device("cpu"), torch.float32)
    if not isinstance(model, StreamsModel) or not isinstance(tokenizer, Tokenizer):
        raise ValueError(
            f"the model in {base} is not of the bundled architecture, the only one that can be trained"
        )
    config = _config(model, seconds)
    train, heldout = (_batches(part, tokenizer, config) for part in files)
    trainer = Trainer(run, config, train=train, heldout=heldout, device=device, model=model.train())
    return trainer, tokenizer


def _batches(files: Sequence[SourceFile], tokenizer: Tokenizer, config: TrainingConfig) -> Batches:
    """Cut batches of one part's files, with snippets of the same part: none of one sees the other."""
    together = [structs.replace(file, package=_REPOSITORY) for file in files]
    related = SnippetTable.build(together) if config.batch.snippets else None
    return Batches(together, tokenizer, config.batch, config.seed, related)


def _config(model: StreamsModel, seconds: float) -> TrainingConfig:
    """Small steps from a low rate that falls from early on: the model is to keep what it knows.

    Every batch has snippets, as every suggestion has in a repository.
    """
    shape = model.config
    return TrainingConfig(
        model=shape,
        batch=BatchConfig(
            documents=2,
            tokens=min(512, shape.before + shape.after),
            holes=14,
            canvas=shape.reach,
            snippets=shape.snippets,
            snippet_tokens=shape.snippet_tokens,
            with_snippets=1.0,
        ),
        seconds=seconds,
        matrix_rate=0.003,
        vector_rate=5e-4,
        warmup_steps=20,
        decay=0.9,
        heldout_batches=8,
        report_steps=40,
        loader_workers=0,
        keep_best=True,
    )
