"""Tabs where the document has tabs, spaces where it has spaces. Knows lines, no grammar."""

from __future__ import annotations

from dllm_lsp.syntax.region import Region

_WIDTH = 4


def aligned(text: str, region: Region) -> str:
    """Return `text` indented with the characters of the nearest indented line, a tab counting four spaces."""
    if region.head.strip():
        return text
    body = text.lstrip(" \t")
    indent = text[: len(text) - len(body)]
    nearest = _nearest_indent(region)
    if "\t" in nearest:
        indent = indent.replace(" " * _WIDTH, "\t")
    elif nearest:
        indent = indent.replace("\t", " " * _WIDTH)
    return indent + body


def _nearest_indent(region: Region) -> str:
    lines = [region.head, *reversed(region.above.split("\n")), *region.below.split("\n")]
    indents = (line[: len(line) - len(line.lstrip(" \t"))] for line in lines)
    return next((indent for indent in indents if indent), "")
