"""Fine-tunes a model on the files of one repository, and keeps the result only if it is better there.

Knows no settings, no command line, no engine and no architecture: how good a model is, it is told.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from msgspec import DecodeError, Struct, json

from dllm_lsp.models.checkpoints.architectures import architecture_of
from dllm_lsp.training.architectures import trained
from dllm_lsp.training.repository import Split

RUN, RESULT = "run", "result"
_BEFORE = "before.json"
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
    """The model to begin with: its folder, and the fingerprint of its weights."""

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
    tune = trained(architecture_of(base.folder)).tune
    run, result = folder / RUN, folder / RESULT
    shutil.rmtree(result, ignore_errors=True)
    before = _begun(run, base.fingerprint, seconds)
    if before is None:
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        before = _Before(base.fingerprint, seconds, measure(base.folder, None))
        (run / _BEFORE).write_bytes(json.encode(before))
    tuning = tune(run, base.folder, files, _training_seconds(before))
    tuning.train()
    if not tuning.is_finished:
        return Outcome(before.score, None)
    after = before.score
    if tuning.save(result):
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
