"""Related code from elsewhere in the project: which passages share the rarest names with the code at hand.

Knows text and paths. Does not know how files are found and read, how many snippets the model takes, or tokens.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import islice
from sys import intern
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
    """Lines of a file, from the zero-based number `line` on, with their line feeds; and the names in them."""

    path: str
    line: int
    text: str
    names: frozenset[str]


def names(text: str) -> frozenset[str]:
    """The distinct words of at least three letters in `text` that can be identifiers, keywords among them."""
    return frozenset(map(intern, _NAME.findall(text)))  # most stand in many snippets


def cut(path: str, text: str) -> list[Snippet]:
    """The whole file as snippets, every one of LINES lines but the last."""
    lines: list[str] = _LINE.findall(text)
    texts = ["".join(lines[n : n + LINES]) for n in range(0, len(lines), LINES)]
    return [Snippet(path, n * LINES, text, names(text)) for n, text in enumerate(texts)]


def neighbors(path: str, text: str, paths: Collection[str]) -> frozenset[str]:
    """Which of `paths` are worth looking into for the file `path`: itself, what it imports, and its folder.

    Of a large folder the first files in alphabetical order.
    """
    folder = path.rpartition("/")[0]
    siblings = sorted(each for each in paths if each.rpartition("/")[0] == folder)
    return frozenset([path, *imported(path, text, paths), *siblings[:_SIBLINGS]])


class Index:
    """Snippets by the names in them; to be made anew when the files change."""

    def __init__(self, snippets: Sequence[Snippet]) -> None:
        self.snippets = snippets
        self._damping = [(len(snippet.names) + 10) ** -_DAMPING for snippet in snippets]
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        for number, snippet in enumerate(snippets):
            for name in snippet.names:
                self._holders[name].append(number)

    def related(self, wanted: Collection[str], path: str, seen: range, count: int) -> list[int]:
        """The numbers of at most `count` snippets with names that are `wanted`, best first; ties in their order.

        The wanted names stand around the cursor in the file `path`, and `seen` are its line numbers that the model
        sees anyway: no snippet of that file overlaps them. Score: the sum, over the shared names, of the logarithm of
        their rarity (inverse document frequency), damped by the snippet's size.
        """
        scores: defaultdict[int, float] = defaultdict(float)
        for name in sorted(wanted):  # sorted, since the order of a sum of floats changes it
            holders = self._holders.get(name, ())
            if 0 < len(holders) <= max(_FEW, _COMMON * len(self.snippets)):
                rarity = math.log(1 + len(self.snippets) / len(holders))
                for number in holders:
                    scores[number] += rarity * self._damping[number]
        ranked = sorted(scores, key=lambda number: (-scores[number], number))
        return list(islice((n for n in ranked if self._is_unseen(n, path, seen)), count))

    def _is_unseen(self, number: int, path: str, seen: range) -> bool:
        snippet = self.snippets[number]
        return snippet.path != path or snippet.line >= seen.stop or seen.start >= snippet.line + LINES
