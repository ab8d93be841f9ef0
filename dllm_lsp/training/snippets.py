"""Related snippets for training documents: ranked once for a whole corpus, looked up in no time.

The ranking is the one of `context/snippets.py`. Does not know tokens or batches.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate
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
        """Rank the passages of all `files`; files without a package have no relations. Some 2 ms a passage."""
        cuts = [cut(file.path_in_package, file.text) for file in files]
        first = np.array([0, *accumulate(map(len, cuts))], dtype=np.int32)
        starts = [
            start for each in cuts for start in [0, *accumulate(len(s.text) for s in each)][: len(each)]
        ]
        related = np.full((len(starts), _KEPT), -1, dtype=np.int32)
        packages: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for number, file in enumerate(files):
            packages[file.package][file.path_in_package] = number
        packages.pop("", None)
        for package in tqdm(packages.values(), unit="package", desc="snippets"):
            for number in package.values():
                _relate(files[number], package, cuts, first, related)
        return cls(first, np.array(starts, dtype=np.int32), related)

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


def _relate(
    file: SourceFile,
    package: Mapping[str, int],
    cuts: Sequence[Sequence[Snippet]],
    first: NDArray[np.int32],
    related: NDArray[np.int32],
) -> None:
    """Fill in the rows of one file; `package` are the numbers of its files by path."""
    path = file.path_in_package
    own = package[path]
    numbers = [package[each] for each in sorted(neighbors(path, file.text, package.keys()))]
    index = Index([snippet for number in numbers for snippet in cuts[number]])
    passages = [passage for number in numbers for passage in range(first[number], first[number + 1])]
    for passage in range(len(cuts[own])):
        query = cuts[own][max(0, passage - _QUERY) : passage + _QUERY + 1]
        wanted = frozenset[str]().union(*(each.names for each in query))
        seen = range((passage - _HIDDEN) * LINES, (passage + _HIDDEN + 1) * LINES)
        found = index.related(wanted, path, seen, _KEPT)
        related[first[own] + passage, : len(found)] = [passages[each] for each in found]
