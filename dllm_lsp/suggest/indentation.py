"""Tabs where the document has tabs, spaces where it has spaces. Knows lines, no grammar."""

from __future__ import annotations

from dllm_lsp.infill.extent import TAB
from dllm_lsp.syntax.region import Region


def aligned(text: str, region: Region) -> str:
    """Return `text`, every line indented with the characters of the nearest indented line, a tab counting four spaces.

    What the cursor's line begins with stays.
    """
    nearest = _nearest_indent(region)
    first, *others = text.split("\n")
    if not region.head.strip():
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


def _nearest_indent(region: Region) -> str:
    lines = [region.head, *reversed(region.above.split("\n")), *region.below.split("\n")]
    indents = (line[: len(line) - len(line.lstrip(" \t"))] for line in lines)
    return next((indent for indent in indents if indent), "")
