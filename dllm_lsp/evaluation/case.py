"""A question that an evaluation asks: a document with a hole in it, and what stood there. Knows no model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, TypeVar

from msgspec import structs

from dllm_lsp.context.passages import Passages
from dllm_lsp.context.window import hole_at
from dllm_lsp.infill.hole import Hole
from dllm_lsp.text.document import split_lines
from dllm_lsp.text.snapshot import Snapshot

Half = Literal["even", "odd", "all"]
"""Cases by their index from 0: what is chosen on one half is reported on the other."""

_Case = TypeVar("_Case")


@dataclass(frozen=True, slots=True)
class Case:
    """A hole between `before` and `after`, both with line feeds for line ends, where `truth` stood.

    The answer is `one_line`, as an editor would show it, or everything that the engine writes. `program` are sources to
    run behind the document: the answer is right if they pass; there may be none. The document is the file `path` of
    `passages`, if it belongs to one.
    """

    name: str
    kind: str
    before: str
    truth: str
    after: str
    language: str = "python"
    one_line: bool = True
    program: tuple[str, ...] = ()
    passages: Passages | None = field(default=None, compare=False, repr=False)
    path: str = ""

    def hole(self, before: int, after: int, snippets: int) -> Hole:
        """Return the hole with so many characters of code on both sides, and related snippets without the truth."""
        hole = hole_at(self.snapshot, before, after)
        if self.passages is None:
            return hole
        hidden = self.truth.count("\n")
        related = self.passages.related(self.path, self.snapshot, hole, snippets, hidden)
        return structs.replace(hole, snippets=related)

    @property
    def snapshot(self) -> Snapshot:
        """The document as an editor has it, the cursor in the hole."""
        above = split_lines(self.before)
        lines = tuple(split_lines(self.before + self.after))
        return Snapshot(self.name, None, self.language, lines, len(above) - 1, len(above[-1]))


def chosen(cases: Iterable[_Case], half: Half, limit: int | None) -> Iterator[_Case]:
    """Yield the first `limit` cases of a half, or all of it."""
    start, step = {"even": (0, 2), "odd": (1, 2), "all": (0, 1)}[half]
    return islice(islice(cases, start, None, step), limit)
