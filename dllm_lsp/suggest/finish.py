"""From the engine's tokens to what a person sees, or to nothing. Knows no editor and no engine."""

from __future__ import annotations

from dllm_lsp.infill.extent import Portion, portions_of
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.settings import SuggestSettings
from dllm_lsp.suggest.brackets import without_second_closers
from dllm_lsp.suggest.candidate import Candidate
from dllm_lsp.suggest.indentation import aligned
from dllm_lsp.suggest.lines import extent_at
from dllm_lsp.suggest.overlap import (
    copies_above,
    joins,
    repeats_neighbor,
    says_again,
    without_lines_below,
    without_tail,
)
from dllm_lsp.suggest.repetition import is_stuck, without_repeated_line
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.syntax.errors import breaks
from dllm_lsp.syntax.region import Region, region_of


def finish(hole: Hole, infilled: Infilled, settings: SuggestSettings) -> Suggestion | None:
    """Return what to show at the hole, which is `context.window.vicinity` of the cursor, or None for nothing.

    The text is the beginning of what the engine wrote: what belongs to the extent, up to what the document holds
    already, and of several lines as many as are sure and right together. Where the cursor cuts a word, the engine wrote
    the rest of it, too (`Hole.with_whole_word`): what does not end with that would change the word. Where the document
    has tabs, the engine saw spaces (`Hole.in_spaces`). The text's lines are separated by line feeds. Its confidence is
    the product of the probabilities of the tokens that are left, and of the end if the text ends where the model ended
    it, calibrated for this model.
    """
    extent, seen = extent_at(hole, settings.lines), hole.with_whole_word.in_spaces
    if copies_above(infilled.text, seen):
        return None
    portions = portions_of(infilled.pieces, infilled.end, extent, seen.before)
    finished = (_finished(portion, hole, seen, infilled, settings.confidence) for portion in portions)
    return next((suggestion for suggestion in finished if suggestion is not None), None)


def _finished(
    portion: Portion, document: Hole, hole: Hole, infilled: Infilled, confidence: float
) -> Suggestion | None:
    """Return the suggestion that a portion becomes in a `document`, of which the engine saw `hole`, or None."""
    assert portion.end is not None, "it is all there"
    rest = document.rest_of_word
    candidate = Candidate(portion.pieces, portion.end)
    region = region_of(hole, candidate.text)
    candidate = candidate.cut(len(_trimmed(candidate.text, region, hole)))
    probability = infilled.calibrated(candidate.confidence)
    if probability < confidence:
        return None
    written = aligned(candidate.text, hole)
    text = written.removesuffix(rest)
    if (
        not written.endswith(rest)
        or not _is_readable(text)
        or is_stuck(text)
        or _repeats(written, region, hole)
        or breaks(hole, written)
    ):
        return None
    return Suggestion(aligned(text, document), probability, infilled)


def _trimmed(text: str, region: Region, hole: Hole) -> str:
    """Return the beginning of `text` that repeats neither what the document holds already nor itself."""
    while (kept := _without_copy(text, region, hole)) != text:  # what is left may end with another copy
        text = kept
    return text


def _without_copy(text: str, region: Region, hole: Hole) -> str:
    text = without_tail(text, region)
    text = without_lines_below(text, hole)
    text = without_repeated_line(text, region.head)
    text = without_second_closers(text, region)
    return text if region.tail.strip() else text.rstrip()


def _repeats(text: str, region: Region, hole: Hole) -> bool:
    """Return whether `text` repeats what stands around it, or grows together with the word behind it."""
    return joins(text, region.tail) or says_again(text, region.tail) or repeats_neighbor(text, hole)


def _is_readable(text: str) -> bool:
    """Return whether `text` is more than blanks and free of control and undecodable characters."""
    visible = text.replace("\t", " ").replace("\n", " ")
    return bool(text.strip()) and visible.isprintable() and "\ufffd" not in text
