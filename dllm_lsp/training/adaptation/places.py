"""Places in held-out files where a cursor is put, and what stands there in truth: the same ones at every call."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dllm_lsp.models.adapted.geometry import SNIPPETS
from dllm_lsp.training.adaptation.holes import code_lines
from dllm_lsp.training.adaptation.related import Relations
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.holes import Span

_OPEN_ENDS = re.compile(
    r"\w\b|[=(,.\[{+\-*/<>] ?"
)  # a name, an operator or an opening bracket, with its blank
_LEAST_REST = 3
_LONGEST_LINE = 120
_LONGEST = 160  # characters of several lines
_LEAST_BEFORE = 400
_TRIES = 1000
_AROUND = 1500  # characters on both sides whose names related code shares
_COMMENTS = ("#", "//", "*", "/*", '"""', "'''")


class Place(NamedTuple):
    """A cursor in a text; what it shall write ends at `end`. lines: how many that is, 0 for the rest of one.

    snippets: related code, the best first.
    """

    text: str
    cursor: int
    end: int
    lines: int
    snippets: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What stands there."""
        return self.text[self.cursor : self.end]


def rest_of_line(text: str, lines: Sequence[Span], number: int, rng: random.Random) -> Place | None:
    """Behind a name or an operator in the middle of a line."""
    start, end = lines[number]
    cursors = [match.end() for match in _OPEN_ENDS.finditer(text, start, end)]
    cursors = [cursor for cursor in cursors if cursor <= end - _LEAST_REST]
    return Place(text, rng.choice(cursors), end, 0) if cursors else None


def line(text: str, lines: Sequence[Span], number: int, rng: random.Random) -> Place | None:
    """A line behind its indentation."""
    start, end = lines[number]
    return Place(text, start, end, 1) if end - start >= _LEAST_REST else None


def few_lines(text: str, lines: Sequence[Span], number: int, rng: random.Random) -> Place | None:
    """Two to four lines without a blank one, behind the indentation of the first."""
    count = rng.randint(2, 4)
    if number + count > len(lines):
        return None
    start, end = lines[number].start, lines[number + count - 1].end
    together = text[start:end].count("\n") == count - 1 and end - start <= _LONGEST
    return Place(text, start, end, count) if together else None


PLACES: dict[str, Callable[[str, Sequence[Span], int, random.Random], Place | None]] = {
    cutter.__name__: cutter for cutter in (rest_of_line, line, few_lines)
}


def choose(files: Sequence[SourceFile], kind: str, count: int, language: str = "python") -> list[Place]:
    """Return `count` places of a kind, as many from each package; raise ValueError if there are none.

    Comments and the first lines of files are left out.
    """
    rng = random.Random(f"{kind} {language}")
    packages: defaultdict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        if file.language == language and len(file.text) > 2 * _LEAST_BEFORE:
            packages[file.package].append(file)
    if not packages:
        raise ValueError(f"there are no held-out files in {language}")
    places: list[Place] = []
    relations = Relations(files)
    names = sorted(packages)
    for _ in range(_TRIES * count):
        if len(places) == count:
            return places
        members = packages[names[len(places) % len(names)]]
        file = rng.choices(members, [len(file.text) for file in members])[0]
        text = file.text
        lines = code_lines(text)
        number = rng.randrange(len(lines))
        start, end = lines[number]
        if start < _LEAST_BEFORE or end - start > _LONGEST_LINE or text.startswith(_COMMENTS, start):
            continue
        place = PLACES[kind](text, lines, number, rng)
        if place is not None:
            shown = [(max(0, place.cursor - _AROUND), place.cursor), (place.end, place.end + _AROUND)]
            found = relations.snippets(file, shown, SNIPPETS)
            places.append(place._replace(snippets=tuple(found)))
    raise ValueError(f"there are too few places of the kind {kind} in {language}")
