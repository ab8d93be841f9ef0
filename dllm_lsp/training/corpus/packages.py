"""The hand-written list of packages, and in which order they are gathered."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution
from pathlib import Path
from typing import NamedTuple

from dllm_lsp.training.corpus.gather import Split
from dllm_lsp.training.corpus.licenses import RefusedError
from dllm_lsp.training.corpus.npm import pinned_tarball
from dllm_lsp.training.corpus.sources import Source, canonical, installed, installed_source, pinned_wheel


class Step(NamedTuple):
    """One source to be gathered: what it is called, for which split, and how it is loaded."""

    name: str
    split: Split
    load: Callable[[], Source]


@dataclass(frozen=True, slots=True)
class Packages:
    """The list: pins ("name==version") of each registry and split, and the names that may never appear."""

    python: dict[Split, list[str]]
    npm: dict[Split, list[str]]
    forbidden: frozenset[str]

    @classmethod
    def read(cls, file: Path) -> Packages:
        """The list in the TOML file `file`."""
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        return cls(table["python"], table["npm"], frozenset(map(canonical, table["forbidden"])))

    def plan(self, downloads: Path, offline: bool, with_installed: bool) -> Iterator[Step]:
        """What to load, in order; train first, so that duplicates leave the held-out split."""
        here = {canonical(each.name): each for each in installed()} if with_installed else {}
        listed = {_name(pin) for pins in self.python.values() for pin in pins}
        for split in ("train", "heldout"):
            for pin in self.python[split]:
                yield Step(
                    pin, split, partial(_wheel, pin, downloads / "wheels", offline, here.get(_name(pin)))
                )
            for pin in self.npm[split]:
                yield Step(pin, split, partial(pinned_tarball, pin, downloads / "tarballs", offline))
            if split == "train":
                for name in sorted(here.keys() - listed):
                    yield Step(name, split, partial(installed_source, here[name]))


def _name(pin: str) -> str:
    return canonical(pin.split("==", maxsplit=1)[0])


def _wheel(pin: str, cache: Path, offline: bool, other: Distribution | None) -> Source:
    """The wheel of `pin`; where it cannot be had, the `other` version that is installed."""
    try:
        return pinned_wheel(pin, cache, offline)
    except RefusedError:
        if other is None:
            raise
        return installed_source(other)
