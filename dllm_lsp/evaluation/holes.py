"""Cuts holes into finished code, as people leave them open. Knows no model."""

from __future__ import annotations

import ast
import random
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from dllm_lsp.context.passages import Passages
from dllm_lsp.evaluation.case import Case
from dllm_lsp.languages.known import PYTHON
from dllm_lsp.languages.lookup import id_of, language_of
from dllm_lsp.text.document import split_lines
from dllm_lsp.training.files import SourceFile

_BLOCK_LINES = (2, 5)
_TYPED_LINES = 5
_MOST_FAILURES = 10_000
"""Places in a row where no hole could be cut, before it is said that there are none."""


class Span(NamedTuple):
    """Characters [start, end) of a text."""

    start: int
    end: int


@dataclass(frozen=True)
class Source:
    """A file of a project, with what holes are cut by."""

    file: SourceFile
    passages: Passages

    @cached_property
    def lines(self) -> list[Span]:
        """Every line that holds code, from where that begins to where it ends."""
        spans: list[Span] = []
        offset = 0
        for line in split_lines(self.file.text):
            if code := line.strip():
                start = offset + line.index(code)
                spans.append(Span(start, start + len(code)))
            offset += len(line)
        return spans

    @cached_property
    def arguments(self) -> list[Span]:
        """Every argument of a call that stands in one line; none where the text is not Python."""
        if self.file.language != PYTHON.name:
            return []
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(self.file.text)
        except (SyntaxError, ValueError, RecursionError):
            return []
        lines = self.file.text.encode().split(b"\n")
        starts = list(accumulate((len(line.decode()) + 1 for line in lines), initial=0))
        nodes: list[ast.expr | ast.keyword] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                nodes += [*node.args, *node.keywords]
        spans = []
        for node in nodes:
            assert node.end_col_offset is not None
            line, start = lines[node.lineno - 1], starts[node.lineno - 1]
            edges = (start + len(line[:column].decode()) for column in (node.col_offset, node.end_col_offset))
            if node.lineno == node.end_lineno:
                spans.append(Span(*edges))
        return spans

    def indent(self, line: Span) -> int:
        """Return how many characters stand before the line's code."""
        return line.start - (self.file.text.rfind("\n", 0, line.start) + 1)


def rest_of_line(source: Source, rng: random.Random) -> Span | None:
    """From anywhere behind the first character of a line's code to its end."""
    line = rng.choice(source.lines)
    return Span(rng.randrange(line.start + 1, line.end), line.end) if line.end > line.start + 1 else None


def line(source: Source, rng: random.Random) -> Span | None:
    """A line's code; the cursor stands behind the indentation, where editors put it."""
    return rng.choice(source.lines)


def block(source: Source, rng: random.Random) -> Span | None:
    """Two to five lines, none indented less than the first and none blank between them."""
    number = rng.randrange(len(source.lines))
    first = last = source.lines[number]
    wanted = rng.randint(*_BLOCK_LINES)
    for following in source.lines[number + 1 : number + wanted]:
        is_next = source.file.text.count("\n", last.end, following.start) == 1
        if not is_next or source.indent(following) < source.indent(first):
            break
        last = following
    return None if last == first else Span(first.start, last.end)


def argument(source: Source, rng: random.Random) -> Span | None:
    """One argument of a call, the others and the brackets left standing."""
    return rng.choice(source.arguments) if source.arguments else None


def typed(source: Source, rng: random.Random) -> Span | None:
    """Five lines of code at most, the blank ones between them, and the line break that they begin with."""
    if len(source.lines) < 2:
        return None
    first = rng.randrange(1, len(source.lines))
    last = min(first + _TYPED_LINES, len(source.lines)) - 1
    return Span(source.file.text.index("\n", source.lines[first - 1].end), source.lines[last].end)


_CUTTERS: dict[str, Callable[[Source, random.Random], Span | None]] = {
    cutter.__name__.replace("_", "-"): cutter for cutter in (rest_of_line, line, block, argument, typed)
}
TYPED = "typed"
"""What somebody types in one go."""

KINDS = tuple(kind for kind in _CUTTERS if kind != TYPED)
"""The kinds of holes to be filled at once; all but `block` lie in one line."""


def cut_holes(
    files: Sequence[SourceFile],
    seed: int,
    kinds: Sequence[str] = KINDS,
    others: Sequence[SourceFile] = (),
) -> Iterator[Case]:
    """Yield holes without end, the same for the same files, seed and kinds; files count by their lines.

    `others` are files of the same projects, which get no holes but may hold related snippets.
    Trailing blanks of a hole's last line are left out of the document. Raises ValueError when the files offer no such
    hole.
    """
    rng = random.Random(seed)
    passages = _passages([*files, *others])
    sources = [Source(file, passages[file.package]) for file in files]
    sources = [source for source in sources if source.lines]
    sizes = [len(source.lines) for source in sources]
    failures = 0
    while sources and failures < _MOST_FAILURES:
        [source] = rng.choices(sources, sizes)
        kind = rng.choice(kinds)
        span = _CUTTERS[kind](source, rng)
        if span is None:
            failures += 1
            continue
        failures = 0
        yield _case(source, kind, span)
    raise ValueError(f"no hole of the kinds {', '.join(kinds)} was found in the code")


def _passages(files: Sequence[SourceFile]) -> dict[str, Passages]:
    """Return the passages of each package's files; those of no package are taken to belong together."""
    texts: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for file in files:
        texts[file.package][file.path_in_package] = file.text
    return {package: Passages(each) for package, each in texts.items()}


def _case(source: Source, kind: str, span: Span) -> Case:
    file = source.file
    before, after = file.text[: span.start], file.text[span.end :]
    row, column = before.count("\n") + 1, span.start - before.rfind("\n")
    if not after.partition("\n")[0].strip():
        after = after[after.find("\n") :] if "\n" in after else ""
    return Case(
        name=f"{file.path}:{row}:{column}",
        kind=kind,
        before=before,
        truth=file.text[span.start : span.end],
        after=after,
        language=language_of(file.language).dialect(id_of(file.path)).id,
        one_line=kind not in ("block", TYPED),
        passages=source.passages,
        path=file.path_in_package,
    )
