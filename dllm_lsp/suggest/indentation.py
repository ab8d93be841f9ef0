"""Tabs where the document has tabs, spaces where it has spaces. Knows lines, no grammar."""

from __future__ import annotations

from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.indentation import TAB


def aligned(text: str, hole: Hole) -> str:
    """Return `text`, every line indented with the characters of the nearest indented line, a tab counting four spaces.

    What the cursor's line begins with stays.
    """
    nearest = _nearest_indent(hole)
    first, *others = text.split("\n")
    if not hole.before.rpartition("\n")[2].strip():
        first = _indented_like(nearest, first)
    return "\n".join([first, *(_indented_like(nearest, line) for line in others)])


def _indented_like(nearest: str, line: str) -> str:
    body = line.lstrip(" \t")
    indent = line[: len(line) - len(body)]
    if "\t" in nearest:
        indent = indent.replace(" " * TAB, "\t")
    elif nearest:
        indent = indent.replace("\t", " " * TAB)
    return indent + body


def _nearest_indent(hole: Hole) -> str:
    lines = [*reversed(hole.before.split("\n")), *hole.after.split("\n")[1:]]
    indents = (line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line.strip())
    return next((indent for indent in indents if indent), "")
