"""A repository's own source files: what of them may be learned from, and what is held out to measure.

Reads files and asks git which of them are the project's. Changes nothing, and knows no model.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pathspec

from dllm_lsp.context.admission import refusal
from dllm_lsp.text.snapshot import Snapshot
from dllm_lsp.training.corpus.shingles import shingles
from dllm_lsp.training.files import SourceFile

FEWEST_CHARACTERS = 10_000
_LARGEST_FILE = 300_000  # bytes; what is larger is data or generated
_LARGEST_REPOSITORY = 30_000_000  # bytes; more than ten minutes can read
_GIT_SECONDS = 60.0
_HELD_OUT = 0.15  # share of the files
_SAMPLE = np.uint64(8)  # one shingle in so many is compared
_COMMON = 20  # files; what more than these share is a license or a habit


class Split(NamedTuple):
    """Files to learn from and files to measure on, none of one nearly a copy of one of the other."""

    train: list[SourceFile]
    heldout: list[SourceFile]


def read_repository(root: Path, languages: Mapping[str, str]) -> list[SourceFile]:
    """Return the source files below a folder, in an order that does not depend on it.

    `languages` are LSP ids by suffix. Left out are what git ignores, links, files that may hold secrets or that are
    no text, and large ones. Raises OSError when the folder cannot be read.
    """
    root = root.resolve(strict=True)
    names = (name for name in _project_files(root) if Path(name).suffix.lower() in languages)
    files: list[SourceFile] = []
    size = 0
    for name in sorted(names, key=_digest):
        text = _text(root / name)
        if text is None or not text.strip():
            continue
        language = languages[Path(name).suffix.lower()]
        if refusal(Snapshot(f"/{name}", None, language, tuple(text.splitlines(keepends=True)), 0, 0)):
            continue
        files.append(SourceFile(name, language, text))
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


def _project_files(root: Path) -> Iterator[str]:
    """Yield relative paths: what git would track, or, where there is no git, what .gitignore files leave."""
    # A file monitor is a program that a repository's own configuration may name.
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    try:
        listed = subprocess.run(
            [*command, "--exclude-standard"], capture_output=True, timeout=_GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        yield from _walk(root, root, [])
        return
    yield from filter(None, os.fsdecode(listed.stdout).split("\0"))


def _walk(root: Path, folder: Path, above: list[tuple[Path, pathspec.GitIgnoreSpec]]) -> Iterator[str]:
    """Yield what no .gitignore on the way excludes, and no hidden folder, virtual environment or node_modules holds."""
    rules = [*above]
    if (ignore := folder / ".gitignore").is_file():
        lines = ignore.read_text(encoding="utf-8", errors="replace").splitlines()
        rules.append((folder, pathspec.GitIgnoreSpec.from_lines(lines)))
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path, is_folder = Path(entry.path), entry.is_dir(follow_symlinks=False)
        if _is_ignored(path, is_folder, rules):
            continue
        if not is_folder:
            yield path.relative_to(root).as_posix()
        elif not (
            entry.name.startswith(".") or entry.name == "node_modules" or (path / "pyvenv.cfg").exists()
        ):
            yield from _walk(root, path, rules)


def _is_ignored(path: Path, is_folder: bool, rules: list[tuple[Path, pathspec.GitIgnoreSpec]]) -> bool:
    """Whether the innermost .gitignore that says anything of the path excludes it."""
    for folder, spec in reversed(rules):
        name = path.relative_to(folder).as_posix() + "/" * is_folder
        verdict = spec.check_file(name).include
        if verdict is not None:
            return verdict
    return False


def _text(path: Path) -> str | None:
    """Return the file's text with line feeds for line ends, or None if it is none or cannot be read."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            return None
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


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
