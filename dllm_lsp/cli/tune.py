"""Fine-tuning on a repository, as its user sees it: what is read, what is gained, where the result lies."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import torch
from filelock import FileLock, Timeout

from dllm_lsp.cli.errors import CommandError
from dllm_lsp.client import identity, tuned
from dllm_lsp.engine.calibration import read_calibration, write_calibration
from dllm_lsp.evaluation.answers import Writer
from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.holes import cut_holes
from dllm_lsp.fingerprints import fingerprint
from dllm_lsp.models.checkpoints.adapter import stored_fingerprint
from dllm_lsp.settings import Settings
from dllm_lsp.training.progress import progress
from dllm_lsp.training.repository import Split, read_repository, split
from dllm_lsp.training.tuning import RESULT, Base, Outcome, fine_tune

_PLACES = 400


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
    next(_cases(files))  # raises, before minutes are spent, where nothing can be measured
    print(f"{len(files.train)} files to learn from, {len(files.heldout)} held out to measure.", flush=True)

    def measure(result: Path, seconds: float) -> Outcome:
        return _measured(result, folder, files, seconds)

    outcome = fine_tune(home, base, files, seconds, measure)
    if outcome is None:
        print("Stopped before the end. The same command goes on where it was.")
        return 130
    if outcome.before:
        print(_told(outcome))
    if (home / RESULT).exists():
        _keep(home, base, _record(outcome, repository, settings, base, stored_fingerprint(home / RESULT)))
    else:
        print("It is not better, so nothing changes.")
    return 0


def _told(outcome: Outcome) -> str:
    """Say how often both are right, what they differ by, and how much of that chance may be."""
    is_clear = abs(outcome.gained - outcome.lost) > outcome.noise
    return (
        f"Rest of the line exactly right, at {len(outcome.before)} places in the held-out files:\n"
        f"  before {_share(outcome.before):.1%}\n"
        f"  after  {_share(outcome.after):.1%}\n"
        f"{outcome.gained} places are right that were not, {outcome.lost} no longer are. By chance alone these numbers "
        f"differ by up to {outcome.noise:.0f}{'' if is_clear else ', so which is better is not certain'}."
    )


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def _keep(home: Path, base: Base, record: tuned.Tuned) -> None:
    """Put the result where editors and engines look for it, its confidence worth what the base model's is."""
    if record.adapter is None:  # for adapters the engine takes the one of the base's own
        write_calibration(home / RESULT, read_calibration(base.folder))
    (home / tuned.RECORD).unlink(missing_ok=True)  # what is half replaced is not used
    for older in home.iterdir():
        if older.is_dir() and older.name != RESULT:
            shutil.rmtree(older)
    (home / RESULT).rename(home / (record.adapter or tuned.MODEL))
    (home / tuned.RECORD).write_bytes(msgspec.json.encode(record))
    print(f"Editors that are opened on {record.repository} use it from their next start on ({home}).")
    print(f"To go back: dllm-lsp train --repo {record.repository} --forget")


def _record(
    outcome: Outcome, repository: Path, settings: Settings, base: Base, adapter: str | None
) -> tuned.Tuned:
    return tuned.Tuned(
        repository=str(repository),
        base=identity.name(settings.model),
        fingerprint=base.fingerprint,
        places=len(outcome.before),
        before=_share(outcome.before),
        after=_share(outcome.after),
        adapter=adapter,
    )


def _measured(result: Path, base: Path, files: Split, seconds: float) -> Outcome:
    """Return where the rest of a line is exactly right, before and after, at as many places as fit into the time.

    Each place is filled by both in turn, so that both have the same places, and an adapter finds it encoded.
    """
    began = time.monotonic()
    writers = _writers(result, base)
    found: list[tuple[bool, ...]] = []
    with progress() as bar:
        task = bar.add_task("measuring", total=seconds, note="")
        for case in islice(_cases(files), _PLACES):
            found.append(tuple(writer.answer(case).is_exact for writer in writers))
            passed = time.monotonic() - began
            bar.update(task, completed=passed, note=f"{len(found)} places")
            if passed > seconds:
                break
    return Outcome(*zip(*found, strict=True))


def _writers(result: Path, base: Path) -> tuple[Writer, Writer]:
    """Return what writes with the base and what writes with the result: a model, or an adapter of the base."""
    threads = torch.get_num_threads()
    before = Writer.load(str(base), "auto", threads)
    if stored_fingerprint(result) is None:
        return before, Writer.load(str(result), "auto", threads)
    return before, before._replace(engine=before.engine.adapted(result))


def _cases(files: Split) -> Iterator[Case]:
    return cut_holes(files.heldout, 0, ("rest-of-line",), files.train)
