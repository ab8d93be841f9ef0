"""The corpus command: gather the corpus, or hash evaluation sets so that the corpus can avoid them."""

from __future__ import annotations

import argparse
import gzip
import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from dllm_lsp.training.corpus.gather import Corpus, Entry, Split
from dllm_lsp.training.corpus.licenses import RefusedError
from dllm_lsp.training.corpus.shingles import telling_shingles
from dllm_lsp.training.corpus.sources import (
    Source,
    canonical,
    installed,
    installed_source,
    pinned_wheel,
    standard_library,
)

_PACKAGES = Path(__file__).parents[1] / "packages.toml"
_EXCLUDED = Path(__file__).parents[1] / "evaluation_shingles.npy"
_PROGRAM_FIELDS = (("prompt", "canonical_solution", "suffix"), ("buggy_program",), ("solution",))


@dataclass(frozen=True, slots=True)
class Packages:
    """The hand-written list: pins ("name==version") of each split and the names that may never appear."""

    train: tuple[str, ...]
    heldout: tuple[str, ...]
    forbidden: frozenset[str]

    @classmethod
    def read(cls, file: Path) -> Packages:
        """The list in the TOML file `file`."""
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        python = table["python"]
        return cls(
            tuple(python["train"]), tuple(python["heldout"]), frozenset(map(canonical, table["forbidden"]))
        )

    @property
    def names(self) -> frozenset[str]:
        """The canonical names of all pins."""
        return frozenset(canonical(pin.split("==")[0]) for pin in self.train + self.heldout)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (the process's own by default).

    Ends the process with a message when a file cannot be used or when a listed package could not be had.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.hash_evaluation:
            hash_evaluation(options.hash_evaluation, _EXCLUDED)
        else:
            _gather_all(options)
    except (OSError, ValueError) as error:
        raise SystemExit(f"corpus: {error}") from error


def _gather_all(options: argparse.Namespace) -> None:
    packages = Packages.read(_PACKAGES)
    cap = int(options.source_megabytes * 1e6)
    with Corpus(options.out, np.load(_EXCLUDED, allow_pickle=False), packages.forbidden, cap) as corpus:
        refused = gather(corpus, packages, options.out / "wheels", options.installed)
    _report(corpus, refused)
    if missing := [pin for pin in packages.train + packages.heldout if pin in refused]:
        raise SystemExit(f"corpus: written, but without these listed packages: {', '.join(missing)}")


def gather(corpus: Corpus, packages: Packages, cache: Path, with_installed: bool) -> dict[str, str]:
    """Add every source to `corpus`, held-out packages last. Returns the refused sources with the reasons."""
    refused: dict[str, str] = {}
    for source in standard_library():
        corpus.add(source, "train", capped=source.name != "python")
    for name, split, load in tqdm(_plan(packages, cache, with_installed), unit="package"):
        try:
            if canonical(name.split("==")[0]) in packages.forbidden:
                raise RefusedError("forbidden")
            corpus.add(load(), split)
        except RefusedError as refusal:
            refused[name] = str(refusal)
    return refused


def _plan(
    packages: Packages, cache: Path, with_installed: bool
) -> list[tuple[str, Split, Callable[[], Source]]]:
    """What to load, for which split and how; train first, so that duplicates leave the held-out split."""
    plan: list[tuple[str, Split, Callable[[], Source]]] = []
    plan += [(pin, "train", partial(pinned_wheel, pin, cache)) for pin in packages.train]
    if with_installed:
        others = (each for each in installed() if canonical(each.name) not in packages.names)
        plan += [(each.name, "train", partial(installed_source, each)) for each in others]
    plan += [(pin, "heldout", partial(pinned_wheel, pin, cache)) for pin in packages.heldout]
    return plan


def hash_evaluation(files: Sequence[Path], target: Path) -> None:
    """Write to `target` the shingles of every program in the JSON-lines `files` (gzip by the suffix .gz).

    Raises OSError or ValueError when a file cannot be read or holds no program.
    """
    hashes = [telling_shingles(program) for file in files for program in _programs(file)]
    if not hashes:
        raise ValueError(f"no row has the fields {' or '.join('+'.join(names) for names in _PROGRAM_FIELDS)}")
    np.save(target, np.unique(np.concatenate(hashes)))
    print(f"{target}: {sum(map(len, hashes))} shingles of {len(hashes)} programs")


def _programs(file: Path) -> Iterator[str]:
    content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    for row in map(json.loads, content.splitlines()):
        for fields in _PROGRAM_FIELDS:
            if all(field in row for field in fields):
                yield "".join(row[field] for field in fields)


def _report(corpus: Corpus, refused: dict[str, str]) -> None:
    for name, reason in refused.items():
        print(f"refused {name}: {reason}")
    for entry in sorted(corpus.entries, key=lambda entry: -entry.bytes):
        print(
            f"{entry.bytes / 1e6:8.2f} MB {entry.files:6} files  {entry.split:8} {entry.name} {entry.version}"
        )
    for reason, count in corpus.dropped.most_common():
        print(f"{count:8} files dropped: {reason}")
    for split in ("train", "heldout"):
        _report_total(split, [entry for entry in corpus.entries if entry.split == split])


def _report_total(split: str, entries: Sequence[Entry]) -> None:
    files, size = sum(entry.files for entry in entries), sum(entry.bytes for entry in entries)
    print(f"{split}: {size / 1e6:.1f} MB in {files} files of {len(entries)} sources")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="corpus", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--out", type=Path, metavar="FOLDER", help="gather the corpus into this folder")
    action.add_argument(
        "--hash-evaluation",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="hash these evaluation sets (JSON lines)",
    )
    parser.add_argument("--installed", action="store_true", help="add what is installed on this machine")
    parser.add_argument(
        "--source-megabytes",
        type=float,
        default=2.5,
        metavar="MB",
        help="most text from one source (default: 2.5)",
    )
    return parser
