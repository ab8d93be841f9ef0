"""Whether a suggestion may go on over several lines. Knows a place, no text that is written there."""

from __future__ import annotations

from dllm_lsp.infill.extent import Extent
from dllm_lsp.infill.hole import Hole
from dllm_lsp.languages.lookup import language_of
from dllm_lsp.settings import Lines


def extent_at(hole: Hole, lines: Lines) -> Extent:
    """Return how far a suggestion at the cursor may reach.

    That is the end of its line where more than closing marks follows on it. Elsewhere it may be the end of the block:
    where "many" lines are wanted; and with "auto" where the line is empty, or where what stands before the cursor opens
    a block or bracket and nothing follows but the brace that the editor has closed.
    """
    language = language_of(hole.language)
    head, tail = hole.before.rpartition("\n")[2].rstrip(), hole.after.partition("\n")[0].strip()
    if lines == "one" or tail.strip(f" \t{language.closing}"):
        return "line"
    opening = (*language.closers, ":") if language.block else tuple(language.closers)
    is_open = (not head or head.endswith(opening)) and tail in {"", "}"}
    return "block" if lines == "many" or is_open else "line"
