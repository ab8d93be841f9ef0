"""Related code from elsewhere in the project: which passages share the rarest names with the code at hand.

Knows text and paths. Does not know how files are found and read, how many snippets the model takes, or tokens.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import islice
from typing import NamedTuple

from dllm_lsp.context.imports import imported

LINES = 20
"""Lines in a snippet; the last one of a file may have fewer."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_NAME = re.compile(r"\b[^\W\d]\w{2,}")
_SIBLINGS = 30
_COMMON = 0.2  # a name that more than this share of all snippets holds tells nothing
_FEW = 8  # but one that so few snippets hold always counts
_DAMPING = 0.3  # exponent of a snippet's number of names; 0 prefers long snippets, 1 those with little else


class Snippet(NamedTuple):
    """Lines of a file, from the zero-based number `line` on, with their line feeds."""

    path: str
    line: int
    text: str


def names(text: str) -> frozenset[str]:
    """The distinct words of at least three letters in `text` that can be identifiers, keywords among them."""
    return frozenset(_NAME.findall(text))


def cut(path: str, text: str) -> list[Snippet]:
    """The whole file as snippets, every one of LINES lines but the last."""
    lines: list[str] = _LINE.findall(text)
    return [Snippet(path, n, "".join(lines[n : n + LINES])) for n in range(0, len(lines), LINES)]


def neighbors(path: str, text: str, paths: Collection[str]) -> frozenset[str]:
    """Which of `paths` are worth looking into for the file `path`: itself, what it imports, and its folder.

    Of a large folder the first files in alphabetical order.
    """
    folder = path.rpartition("/")[0]
    siblings = sorted(each for each in paths if each.rpartition("/")[0] == folder)
    return frozenset([path, *imported(path, text, paths), *siblings[:_SIBLINGS]])


class Index:
    """The snippets of a project's files, by the names in them. To be made anew when the files change."""

    def __init__(self, files: Mapping[str, str]) -> None:
        """Cut `files`, texts by path, into snippets."""
        self.snippets = [snippet for path, text in files.items() for snippet in cut(path, text)]
        self._damping: list[float] = []
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        for number, snippet in enumerate(self.snippets):
            found = names(snippet.text)
            self._damping.append((len(found) + 10) ** -_DAMPING)
            for name in found:
                self._holders[name].append(number)

    def related(self, text: str, path: str, seen: range, among: Collection[str], count: int) -> list[int]:
        """The numbers of at most `count` snippets related to `text`, best first; ties in the order of the files.

        `text` is the code around the cursor in the file `path` and `seen` its line numbers there: no snippet of
        that file overlaps them. Only files `among` those given are looked at. Score: the sum, over the names that
        both hold, of the logarithm of their rarity (inverse document frequency), damped by the snippet's size.
        """
        scores: defaultdict[int, float] = defaultdict(float)
        for name in sorted(names(text)):  # sorted, since the order of a sum of floats changes it
            holders = self._holders.get(name, ())
            if 0 < len(holders) <= max(_FEW, _COMMON * len(self.snippets)):
                rarity = math.log(1 + len(self.snippets) / len(holders))
                for number in holders:
                    scores[number] += rarity * self._damping[number]
        ranked = sorted(scores, key=lambda number: (-scores[number], number))
        return list(islice((n for n in ranked if self._is_free(n, path, seen, among)), count))

    def _is_free(self, number: int, path: str, seen: range, among: Collection[str]) -> bool:
        snippet = self.snippets[number]
        if snippet.path == path and snippet.line < seen.stop and seen.start < snippet.line + LINES:
            return False
        return snippet.path in among
