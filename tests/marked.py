"""Documents written with a mark at the cursor."""

from __future__ import annotations

from dllm_lsp.infill.hole import Hole
from dllm_lsp.text.document import split_lines
from dllm_lsp.text.snapshot import Snapshot

CURSOR = "¦"


def snapshot_of(
    marked: str, *, language: str = "python", uri: str = "file:///work/app.py", version: int | None = 1
) -> Snapshot:
    """Return the document without its mark, and the cursor where the mark was."""
    before, after = marked.split(CURSOR)
    above = split_lines(before)
    return Snapshot(
        uri, version, language, tuple(split_lines(before + after)), len(above) - 1, len(above[-1])
    )


def hole_of(marked: str, language: str = "python") -> Hole:
    before, after = marked.split(CURSOR)
    return Hole(before=before, after=after, language=language)
