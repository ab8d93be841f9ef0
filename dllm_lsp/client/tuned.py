"""The models that were fine-tuned on a user's repositories: where each lies, and whether it may be used.

They lie in the user's data folder, never in a repository, so that no file of a project can choose a model. Reads
records; weights only where it is told to. Never loads the network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from dllm_lsp import fingerprints, hub
from dllm_lsp.client import identity
from dllm_lsp.fingerprints import Hash
from dllm_lsp.settings import Settings
from dllm_lsp.wire.errors import ModelError

RECORD, MODEL = "tuned.json", "model"
"""What lies in a repository's `home`: a `Tuned`, and a folder with the model; or, named as its fingerprint, one with
an adapter of the base."""


class Tuned(Struct, frozen=True, kw_only=True):
    """How a model was fine-tuned: on which repository, from which weights, and what it gained.

    `base` is the model's name in the settings and `fingerprint` that of its weights. Of `places` in files that were
    not trained on, the shares `before` and `after` were exactly right. `adapter` is the fingerprint of what was made,
    None if that is a model of its own.
    """

    repository: str
    base: str
    fingerprint: str
    places: int
    before: float
    after: float
    adapter: Hash | None = None


class Choice(NamedTuple):
    """Settings that name the model to use, and what to tell the user of that; empty where nothing was tuned.

    `adapter` is the fingerprint of one that was fine-tuned for that model.
    `is_stale` says that a fine-tuned model was passed over, `is_undecided` that weights must be read to tell whether
    it has to be.
    """

    settings: Settings
    note: str = ""
    is_stale: bool = False
    is_undecided: bool = False
    adapter: str | None = None


def home(repository: Path) -> Path:
    """Return the folder for the model of a repository, which may not exist."""
    name = hashlib.sha256(str(repository.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return hub.tuned() / name


def read_record(folder: Path) -> Tuned | None:
    """Return what is known of the model in a folder, or None if there is none."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Tuned)
    except (OSError, ValueError):
        return None


def choose(
    settings: Settings, place: Path, fingerprint: Callable[[Path], str | None] = fingerprints.known
) -> Choice:
    """Return the settings with the model that was fine-tuned on the repository around `place`, if there is one.

    The innermost repository counts. A model that was made from other weights than the settings name is passed over.
    With `fingerprints.fingerprint` it is always decided, but may take as long as to read all the weights.
    """
    try:
        base = identity.name(settings.model)
    except ModelError:
        return Choice(settings)  # whoever loads it will say what is wrong
    for folder in _around(place):
        record = read_record(home(folder))
        if record is None or record.base != base:
            continue
        try:
            current = fingerprint(identity.weights(settings.model))
        except OSError:
            return Choice(settings)
        if current is None:
            return Choice(settings, is_undecided=True)
        return _chosen(settings, folder, record, current)
    return Choice(settings)


def _chosen(settings: Settings, folder: Path, record: Tuned, current: str) -> Choice:
    """Return what was fine-tuned on a folder, if that still goes with weights of the fingerprint `current`."""
    again = f"dllm-lsp train --repo {folder}"
    if current != record.fingerprint:
        note = f"The model fine-tuned on {folder} was made from other weights and is not used: run `{again}`."
        return Choice(settings, note, is_stale=True)
    result = home(folder) / (record.adapter or MODEL)
    if not result.is_dir():
        return Choice(settings, f"What was fine-tuned on {folder} is gone: run `{again}`.", is_stale=True)
    note = f"fine-tuned on {folder}"
    if record.adapter is not None:
        return Choice(settings, f"adapter {record.adapter[:8]}, {note}", adapter=record.adapter)
    return Choice(msgspec.structs.replace(settings, model=str(result)), note)


def _around(place: Path) -> Iterator[Path]:
    """Yield a folder and those that hold it; nothing where it cannot be told."""
    try:
        place = place.resolve()
    except (OSError, RuntimeError):
        return
    yield place
    yield from place.parents
