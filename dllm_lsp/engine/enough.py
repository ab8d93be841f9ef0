"""Whether a draft is all that was asked for, or can never be: every pass after that would be for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from math import prod

from dllm_lsp.infill.calibration import Calibration, worth
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Piece


def is_enough(pieces: Sequence[Piece], limits: Limits, calibration: Calibration | None) -> bool:
    """Return whether what is asked for is written, or what is written makes it too improbable.

    Tokens that are written stay, so the product of their probabilities is the most that that of the whole can still
    be. By `calibration` it is what the suggestion's confidence will be.
    """
    return _is_written(pieces, limits) or worth(_bound(pieces, limits), calibration) < limits.confidence


def _is_written(pieces: Sequence[Piece], limits: Limits) -> bool:
    for piece in pieces:
        if piece.text is None:
            return False
        if limits.line and _ends_line(piece.text):
            break
    return True


def _bound(pieces: Sequence[Piece], limits: Limits) -> float:
    """Return the product of the probabilities of what is written.

    Of a line only what stands before the first mask, which may become its end.
    """
    if limits.line:
        pieces = list(takewhile(lambda piece: piece.text is not None, pieces))
    return prod(piece.probability for piece in pieces if piece.text is not None)


def _ends_line(text: str) -> bool:
    return "\n" in text or "\r" in text
