"""Fine-tunes a model on the files of one repository, and keeps the result only if it is better there.

Knows no settings, no command line, no engine and no architecture: how good a model is, it is told.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec import DecodeError, Struct, json

from dllm_lsp.models.checkpoints.architectures import architecture_of
from dllm_lsp.training.architectures import Tuning, tuned
from dllm_lsp.training.repository import Split

RUN, RESULT = "run", "result"
_BEGUN = "begun.json"
_MEASURING = 0.25  # share of the budget


class Outcome(NamedTuple):
    """At which places, the same for both, the base and the result write exactly what stood there.

    There are none where training made nothing better by its own measure.
    """

    before: tuple[bool, ...] = ()
    after: tuple[bool, ...] = ()

    @property
    def gained(self) -> int:
        """Places that are right and were not."""
        return sum(new > old for old, new in zip(self.before, self.after, strict=True))

    @property
    def lost(self) -> int:
        """Places that were right and are not."""
        return sum(new < old for old, new in zip(self.before, self.after, strict=True))

    @property
    def noise(self) -> float:
        """How far `gained` and `lost` come apart by chance, in 95 of 100 cases at most (McNemar 1947)."""
        return 1.96 * math.sqrt(self.gained + self.lost)


class Base(NamedTuple):
    """The model to begin with: its folder, and the fingerprint of its weights."""

    folder: Path
    fingerprint: str


Measure = Callable[[Path, float], Outcome]
"""How the base and the result in a folder do on the files held out, at as many places as so many seconds allow for."""


class _Begun(Struct, frozen=True):
    """What a run began with: another base, or another budget, begins anew."""

    fingerprint: str
    seconds: float


def fine_tune(folder: Path, base: Base, files: Split, seconds: float, measure: Measure) -> Outcome | None:
    """Train the model `base` on the files for a budget of wall-clock seconds, measuring included.

    Returns None where it was stopped; such a run is taken up from `folder`. The result lies in `RESULT` of the folder
    if it is better. Raises CheckpointError, OSError, and ValueError for a model that cannot be trained.
    """
    tune = tuned(architecture_of(base.folder))
    run, result = folder / RUN, folder / RESULT
    shutil.rmtree(result, ignore_errors=True)
    begun = _Begun(base.fingerprint, seconds)
    if _begun(run) != begun:
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        (run / _BEGUN).write_bytes(json.encode(begun))
    if not _trained(partial(tune, run, base.folder, files, (1 - _MEASURING) * seconds), result):
        return None
    outcome = measure(result, _MEASURING * seconds) if result.exists() else Outcome()
    if outcome.gained <= outcome.lost:
        shutil.rmtree(result, ignore_errors=True)
    shutil.rmtree(run)
    return outcome


def _begun(run: Path) -> _Begun | None:
    """Return what a run in this folder began with, or None if there is none to take up."""
    try:
        return json.decode((run / _BEGUN).read_bytes(), type=_Begun)
    except (OSError, DecodeError):
        return None


def _trained(begin: Callable[[], Tuning], result: Path) -> bool:
    """Train, write what is to be measured, and leave no network in memory; return False if it was stopped."""
    tuning = begin()
    tuning.train()
    if tuning.is_finished:
        tuning.save(result)
    return tuning.is_finished
