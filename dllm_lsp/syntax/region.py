"""The statements around the cursor that make sense by themselves. Knows indentation, no grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from dllm_lsp.infill.hole import Hole
from dllm_lsp.languages.language import Language
from dllm_lsp.languages.lookup import language_of


@dataclass(frozen=True, slots=True)
class Region:
    """Code around the cursor: whole lines `above`, the cursor's line in two parts, whole lines `below`.

    Lines are separated by line feeds: `above` ends with one, `below` begins with one, or they are empty.
    `header` opens the blocks that `above` begins in, where indentation tells them, so that header and region together
    are no less a program than the document is.
    """

    header: str
    above: str
    head: str
    tail: str
    below: str
    language: str


def region_of(hole: Hole, text: str) -> Region:
    """Return the smallest part of the hole, filled with `text`, that begins and ends between statements.

    It begins with the statement that is indented least: of several the nearest above, and the cursor's own
    only if it is the only one. A hole that shows none is taken whole.
    """
    lines = (hole.before + text + hole.after.partition("\n")[0]).split("\n")
    cursor = hole.before.count("\n")
    nearest_first = [*range(cursor - 1, -1, -1), cursor]
    statement = _statement(language_of(hole.language))
    statements = (number for number in nearest_first if statement.match(lines[number]))
    return _region(hole, text, min(statements, key=lambda number: len(_indent(lines[number])), default=0))


def whole_region(hole: Hole, text: str) -> Region:
    """Return all lines of the hole, filled with `text`, down to the end of the cursor's statement."""
    return _region(hole, text, 0)


def _region(hole: Hole, text: str, start: int) -> Region:
    """Return the region that begins with the hole's line number `start`."""
    language = language_of(hole.language)
    *above, head = hole.before.split("\n")
    tail, *below = hole.after.split("\n")
    indents = [
        _indent(line) for line in [*above[start:], *(head + text + tail).split("\n")] if line.strip()
    ] or [""]
    return Region(
        header=_header(indents, language.block),
        above="".join(f"{line}\n" for line in above[start:]),
        head=head,
        tail=tail,
        below="".join(f"\n{line}" for line in below[: _length(below, min(indents, key=len), language)]),
        language=hole.language,
    )


def _header(indents: list[str], block: str) -> str:
    """Open a block, by the line `block`, for every indentation that the code may come back to from its first line's."""
    if not indents[0] or not block:
        return ""
    outer = {"", *(indent for indent in indents if len(indent) < len(indents[0]))}
    return "".join(f"{indent}{block}\n" for indent in sorted(outer, key=len))


def _length(lines: list[str], indent: str, language: Language) -> int:
    """Return how many lines belong to statements indented more than `indent`, or continue one that is not."""
    statement = _statement(language)
    for number, line in enumerate(lines):
        if statement.match(line) and len(_indent(line)) <= len(indent):
            return number
    return len(lines)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


@cache
def _statement(language: Language) -> re.Pattern[str]:
    """Return the pattern of a line's beginning that begins a statement."""
    return re.compile(rf"[ \t]*(?!(?:{'|'.join(language.clauses)})\b)[\w@]")
