"""The statements around the cursor that make sense by themselves. Knows indentation, no grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dllm_lsp.worker.messages import Hole

_STATEMENT = re.compile(r"(?P<indent>[ \t]*)(?!(?:else|elif|except|finally|case)\b)[\w@]")


@dataclass(frozen=True, slots=True)
class Region:
    """Code around the cursor: whole lines `above`, the cursor's line in two parts, whole lines `below`.

    Lines are separated by line feeds: `above` ends with one, `below` begins with one, or they are empty.
    `indent` is the width of the outermost statement's indentation in characters.
    """

    above: str
    head: str
    tail: str
    below: str
    indent: int
    language: str


def region_of(hole: Hole) -> Region:
    """Return the smallest part of the hole's surroundings that begins and ends between outermost statements.

    The outermost statement is the nearest one above that is not indented or, where the hole shows none, the
    nearest of those that are indented least.
    """
    *above, head = hole.before.split("\n")
    tail, *below = hole.after.split("\n")
    start, indent = _start(above)
    return Region(
        above="".join(f"{line}\n" for line in above[start:]),
        head=head,
        tail=tail,
        below="".join(f"\n{line}" for line in below[: _length(below, indent)]),
        indent=indent,
        language=hole.language,
    )


def _start(lines: list[str]) -> tuple[int, int]:
    """Return the number of the outermost statement's line, and its indentation."""
    start, indent = len(lines), 1 << 30
    for number in range(len(lines) - 1, -1, -1):
        statement = _STATEMENT.match(lines[number])
        if statement and len(statement["indent"]) < indent:
            start, indent = number, len(statement["indent"])
            if indent == 0:
                break
    return start, 0 if start == len(lines) else indent


def _length(lines: list[str], indent: int) -> int:
    """Return how many lines belong to statements indented more than `indent`, or continue one that is not."""
    for number, line in enumerate(lines):
        statement = _STATEMENT.match(line)
        if statement and len(statement["indent"]) <= indent:
            return number
    return len(lines)
