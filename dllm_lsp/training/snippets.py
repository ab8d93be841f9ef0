"""Related snippets for training documents: ranked once for a whole corpus, looked up in no time.

The ranking is the one of `context/snippets.py`. Does not know tokens or batches.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from dllm_lsp.context.snippets import LINES, Index, Snippet, cut, neighbors
from dllm_lsp.training.files import SourceFile

_KEPT = 12  # related snippets kept of each passage
_QUERY = 1  # passages on both sides that a passage is looked up with
_HIDDEN = 2  # passages on both sides that a training document is likely to show anyway
_TAKEN = 0.75  # how often a related snippet is taken, so that the model learns to do without any one of them


class Related(NamedTuple):
    """A snippet: the number of its file and its characters [start, end) there."""

    file: int
    start: int
    end: int


class SnippetTable:
    """For every passage of LINES lines of a corpus, the related passages of its package, best first.

    first: int32 [files + 1], each file's first passage. starts: int32 [P], where a passage starts in its file.
    related: int32 [P, K], numbers of passages, -1 where there are fewer.
    """

    def __init__(
        self, first: NDArray[np.int32], starts: NDArray[np.int32], related: NDArray[np.int32]
    ) -> None:
        self.first, self.starts, self.related = first, starts, related

    @classmethod
    def build(cls, files: Sequence[SourceFile]) -> SnippetTable:
        """Rank the passages of all `files`, packages side by side; some 2 ms of processor time a passage.

        Files without a package have no relations.
        """
        packages: defaultdict[str, list[int]] = defaultdict(list)
        for number, file in enumerate(files):
            packages[file.package].append(number)
        members = list(packages.values())
        starts: list[list[int]] = [[] for _ in files]
        rows: list[NDArray[np.int32]] = []
        # Spawned, since this process may have threads; a single package is not worth one.
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            each_by_itself = map if len(members) == 1 else pool.map
            jobs = each_by_itself(_related, ([files[number] for number in each] for each in members))
            for numbers, (found, related) in zip(members, tqdm(jobs, "snippets", len(members)), strict=True):
                rows.append(related)
                for number, each in zip(numbers, found, strict=True):
                    starts[number] = each
        first = np.array([0, *accumulate(map(len, starts))], dtype=np.int32)
        table = np.full((first[-1], _KEPT), -1, dtype=np.int32)
        for numbers, related in zip(members, rows, strict=True):
            passages = np.concatenate([np.arange(first[n], first[n + 1], dtype=np.int32) for n in numbers])
            table[passages] = np.where(related < 0, -1, passages[related]) if len(passages) else related
        return cls(first, np.array([start for each in starts for start in each], dtype=np.int32), table)

    def save(self, path: Path) -> None:
        """Write the table to the `.npz` file `path`."""
        np.savez_compressed(path, first=self.first, starts=self.starts, related=self.related)

    @classmethod
    def load(cls, path: Path, files: Sequence[SourceFile]) -> SnippetTable:
        """Read the table of `files`; raise ValueError if it is none of theirs."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                table = cls(arrays["first"], arrays["starts"], arrays["related"])
        except (KeyError, ValueError, EOFError) as error:
            raise ValueError(f"{path} is no table of snippets: {error}") from error
        if len(table.first) != len(files) + 1:
            raise ValueError(f"{path} belongs to another corpus; gather the corpus again")
        return table

    def pick(self, file: int, start: int, end: int, count: int, rng: random.Random) -> list[Related]:
        """At most `count` snippets for a document that shows the characters [start, end) of a file, best first.

        Drawn by `rng` from the best ones; none of them overlaps what the document shows.
        """
        passages = slice(*self.first[file : file + 2])
        own = self.starts[passages]
        if not len(own):
            return []
        middle = bisect_right(own, (start + end) // 2) - 1
        picked: list[Related] = []
        for passage in self.related[passages.start + middle].tolist():
            if passage < 0 or len(picked) == count:
                break
            snippet = self._at(passage)
            shown = snippet.file == file and snippet.start < end and start < snippet.end
            if not shown and rng.random() < _TAKEN:
                picked.append(snippet)
        return picked

    def _at(self, passage: int) -> Related:
        """Where a passage lies; the last one of a file ends where the file does, whatever its length."""
        file = bisect_right(self.first, passage) - 1
        last = passage + 1 == self.first[file + 1]
        end = np.iinfo(np.int32).max if last else self.starts[passage + 1]
        return Related(file, int(self.starts[passage]), int(end))


def _related(files: Sequence[SourceFile]) -> tuple[list[list[int]], NDArray[np.int32]]:
    """Return where the passages of a package's files start, and their related ones [P, K], numbered throughout."""
    cuts = [cut(file.path_in_package, file.text) for file in files]
    starts = [[0, *accumulate(len(snippet.text) for snippet in each)][: len(each)] for each in cuts]
    first = [0, *accumulate(map(len, cuts))]
    related = np.full((first[-1], _KEPT), -1, dtype=np.int32)
    numbers = {file.path_in_package: number for number, file in enumerate(files)}
    for own, file in enumerate(files):
        if file.package:
            around = [
                numbers[path] for path in sorted(neighbors(file.path_in_package, file.text, numbers.keys()))
            ]
            index = Index([snippet for number in around for snippet in cuts[number]])
            passages = [passage for number in around for passage in range(first[number], first[number + 1])]
            for passage, found in enumerate(_ranked(index, cuts[own])):
                related[first[own] + passage, : len(found)] = [passages[each] for each in found]
    return starts, related


def _ranked(index: Index, own: Sequence[Snippet]) -> Iterator[list[int]]:
    """Yield the numbers of the snippets that go with each passage of a file."""
    for passage, snippet in enumerate(own):
        query = own[max(0, passage - _QUERY) : passage + _QUERY + 1]
        wanted = frozenset[str]().union(*(each.names for each in query))
        seen = range((passage - _HIDDEN) * LINES, (passage + _HIDDEN + 1) * LINES)
        yield index.related(wanted, snippet.path, seen, _KEPT)
