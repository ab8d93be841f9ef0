"""Fine-tuning on a repository, as its user sees it: what is read, what is gained, where the result lies."""

from __future__ import annotations

import shutil
import time
from itertools import islice
from pathlib import Path

import msgspec
import torch
from filelock import FileLock, Timeout

from dllm_lsp.cli.errors import CommandError
from dllm_lsp.client import identity, tuned
from dllm_lsp.engine.calibration import read_calibration, write_calibration
from dllm_lsp.evaluation.answers import Writer
from dllm_lsp.evaluation.holes import cut_holes
from dllm_lsp.fingerprints import fingerprint
from dllm_lsp.settings import Settings
from dllm_lsp.training.progress import progress
from dllm_lsp.training.repository import Split, read_repository, split
from dllm_lsp.training.tuning import RESULT, Base, Outcome, Score, fine_tune

_PLACES = 400
_MEASURING_SHARE = 0.12  # of the budget, each time


def tune(repository: Path, minutes: float, settings: Settings) -> int:
    """Fine-tune the model that the settings name and return the exit status, 130 if it was stopped.

    Raises CommandError, CheckpointError, EngineError, OSError, and ValueError for a repository that is too small.
    """
    repository = repository.resolve()
    if not repository.is_dir():
        raise CommandError(f"there is no folder {repository}")
    home = tuned.home(repository)
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / "lock", timeout=0):
            return _in_home(home, repository, 60 * minutes, settings)
    except Timeout as error:
        raise CommandError(f"another run is fine-tuning on {repository} already") from error


def forget(repository: Path) -> int:
    """Remove what was fine-tuned on a repository and return the exit status; raise OSError."""
    home = tuned.home(repository)
    if not home.exists():
        print(f"No model was fine-tuned on {repository.resolve()}.")
        return 0
    shutil.rmtree(home)
    print(f"Removed {home}. Editors use the model as it was from their next start on.")
    return 0


def _in_home(home: Path, repository: Path, seconds: float, settings: Settings) -> int:
    folder = identity.weights(settings.model)
    base = Base(folder, fingerprint(folder))
    files = split(read_repository(repository))
    print(f"{len(files.train)} files to learn from, {len(files.heldout)} held out to measure.", flush=True)

    def measure(model: Path, places: int | None) -> Score:
        return _measured(model, files, places, _MEASURING_SHARE * seconds)

    outcome = fine_tune(home, base, files, seconds, measure)
    print(f"Rest of the line exactly right, at {outcome.before.places} places in the held-out files:")
    print(f"  before {outcome.before.exact:.1%}")
    if outcome.after is None:
        print("Stopped before the end. The same command goes on where it was.")
        return 130
    print(f"  after  {outcome.after.exact:.1%}")
    if (home / RESULT).exists():
        _keep(home, base, _record(outcome, outcome.after, repository, settings, base))
    else:
        print("It is not better, so nothing changes.")
    return 0


def _keep(home: Path, base: Base, record: tuned.Tuned) -> None:
    """Put the result where the server looks for it, its confidence worth what the base model's is."""
    write_calibration(home / RESULT, read_calibration(base.folder))
    (home / tuned.RECORD).unlink(missing_ok=True)  # what is half replaced is not used
    shutil.rmtree(home / tuned.MODEL, ignore_errors=True)
    (home / RESULT).rename(home / tuned.MODEL)
    (home / tuned.RECORD).write_bytes(msgspec.json.encode(record))
    print(f"Editors that are opened on {record.repository} use it from their next start on ({home}).")
    print(f"To go back: dllm-lsp train --repo {record.repository} --forget")


def _record(outcome: Outcome, after: Score, repository: Path, settings: Settings, base: Base) -> tuned.Tuned:
    return tuned.Tuned(
        repository=str(repository),
        base=identity.name(settings.model),
        fingerprint=base.fingerprint,
        places=outcome.before.places,
        before=outcome.before.exact,
        after=after.exact,
    )


def _measured(model: Path, files: Split, places: int | None, seconds: float) -> Score:
    """Return how often the rest of a line is exactly right, at these many places or as many as fit into the time."""
    began = time.monotonic()
    writer = Writer.load(str(model), "auto", torch.get_num_threads())
    exact = done = 0
    with progress() as bar:
        task = bar.add_task("measuring", total=places or _PLACES, note="")
        cases = cut_holes(files.heldout, 0, ("rest-of-line",), files.train)
        for case in islice(cases, places or _PLACES):
            exact += writer.answer(case).is_exact
            done += 1
            bar.update(task, completed=done, note=f"{exact} exactly right")
            if places is None and time.monotonic() - began > seconds:
                break
    return Score(done, exact / done, time.monotonic() - began)
