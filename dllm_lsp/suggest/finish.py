"""From the engine's tokens to what a person sees, or to nothing. Knows no editor and no engine."""

from __future__ import annotations

from dllm_lsp.context.window import hole_at
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.settings import SuggestSettings
from dllm_lsp.suggest.brackets import without_second_closers
from dllm_lsp.suggest.candidate import first_line
from dllm_lsp.suggest.indentation import aligned
from dllm_lsp.suggest.overlap import repeats_neighbor, without_tail
from dllm_lsp.suggest.repetition import is_stuck
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.syntax.errors import breaks
from dllm_lsp.syntax.region import Region, region_of
from dllm_lsp.text.snapshot import Snapshot

# Characters on either side of the cursor that the checks look at: about a hundred lines.
_REACH = 4096


def finish(snapshot: Snapshot, infilled: Infilled, settings: SuggestSettings) -> Suggestion | None:
    """Return what to show at the snapshot's cursor, or None where nothing is good enough.

    The text is one line without a line end: the beginning of what the engine wrote, up to what the document
    holds already. Its confidence follows, by the model's calibration, from the product of the probabilities of the
    tokens that are left, times that of the end where the text ends as the model ended it.
    """
    candidate = first_line(infilled)
    if candidate is None:
        return None
    hole = hole_at(snapshot, _REACH, _REACH)
    region = region_of(hole, candidate.text)
    candidate = candidate.cut(len(_trimmed(candidate.text, region)))
    confidence = infilled.calibrated(candidate.confidence)
    if confidence < settings.confidence:
        return None
    text = aligned(candidate.text, region)
    if not _is_readable(text) or is_stuck(text) or repeats_neighbor(text, hole) or breaks(hole, text):
        return None
    return Suggestion(text, confidence, infilled)


def _trimmed(text: str, region: Region) -> str:
    """Return the beginning of `text` that the document does not hold yet."""
    text = without_tail(text, region)
    text = without_second_closers(text, region)
    return text if region.tail.strip() else text.rstrip()


def _is_readable(text: str) -> bool:
    """Return whether `text` is more than blanks and free of control and undecodable characters."""
    return bool(text.strip()) and text.replace("\t", " ").isprintable() and "\ufffd" not in text
