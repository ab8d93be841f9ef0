"""A repository's own source files: what of them is learned from, and what is held out to measure. Knows no model."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dllm_lsp.languages.lookup import is_code, written_in
from dllm_lsp.project.files import own_files, read_text
from dllm_lsp.training.corpus.shingles import shingles
from dllm_lsp.training.files import SourceFile

FEWEST_CHARACTERS = 10_000
_LARGEST_REPOSITORY = 30_000_000  # bytes; more than ten minutes can read
_HELD_OUT = 0.15  # share of the files
_SAMPLE = np.uint64(8)  # one shingle in so many is compared
_COMMON = 20  # files; what more than these share is a license or a habit


class Split(NamedTuple):
    """Files to learn from and files to measure on, none of one nearly a copy of one of the other."""

    train: list[SourceFile]
    heldout: list[SourceFile]


def read_repository(root: Path) -> list[SourceFile]:
    """Return the source files below a folder, in an order that does not depend on it.

    Left out are what git ignores, links, files that may hold secrets or that are no text, and large ones. Raises
    OSError when the folder cannot be read.
    """
    root = root.resolve(strict=True)
    names = filter(is_code, own_files(root))
    files: list[SourceFile] = []
    size = 0
    for name in sorted(names, key=_digest):
        text = read_text(root, name)
        if text is None or not text.strip():
            continue
        files.append(SourceFile(name, written_in(name).name, text))
        size += len(text)
        if size > _LARGEST_REPOSITORY:
            break
    return files


def split(files: Sequence[SourceFile]) -> Split:
    """Hold out files by their paths' hashes, near duplicates together; raise ValueError when there are too few."""
    characters = sum(len(file.text) for file in files)
    if characters < FEWEST_CHARACTERS:
        raise ValueError(
            f"there are {characters:,} characters of source code in {len(files)} files, but fine-tuning "
            f"needs {FEWEST_CHARACTERS:,}"
        )
    groups = sorted(_groups(files), key=lambda group: min(_digest(file.path) for file in group))
    if len(groups) < 2:
        raise ValueError(
            "fine-tuning needs at least two source files that are no copies of each other: one to learn from and "
            "one to measure on"
        )
    count = 1 + int(_HELD_OUT * (len(groups) - 1))
    heldout, train = groups[:count], groups[count:]
    return Split([file for group in train for file in group], [file for group in heldout for file in group])


def _groups(files: Sequence[SourceFile]) -> list[list[SourceFile]]:
    """Return the files, those together of which one is nearly a copy of another."""
    marks = [_marks(file.text) for file in files]
    holders: dict[object, list[int]] = {}
    for number, own in enumerate(marks):
        for mark in own:
            holders.setdefault(mark, []).append(number)
    shared = Counter(
        pair for numbers in holders.values() if len(numbers) <= _COMMON for pair in combinations(numbers, 2)
    )
    group = list(range(len(files)))
    for (one, other), count in shared.items():
        if 2 * count > min(len(marks[one]), len(marks[other])):
            joined, left = sorted((group[one], group[other]))
            group = [joined if number == left else number for number in group]
    found: dict[int, list[SourceFile]] = {}
    for number, file in zip(group, files, strict=True):
        found.setdefault(number, []).append(file)
    return list(found.values())


def _marks(text: str) -> set[object]:
    """Return a sample of the text's shingles, or the text itself where it has none."""
    hashes = shingles(text)
    sample: list[int] = hashes[hashes % _SAMPLE == 0].tolist()
    return set(sample) or {text}


def _digest(path: str) -> bytes:
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
