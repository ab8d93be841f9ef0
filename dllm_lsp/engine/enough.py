"""Whether a draft is all that was asked for, or can never be: every pass after that would be for nothing."""

from __future__ import annotations

from collections.abc import Sequence

from dllm_lsp.infill.calibration import Calibration, worth
from dllm_lsp.infill.extent import portion_of
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Piece


def is_enough(pieces: Sequence[Piece], before: str, limits: Limits, calibration: Calibration | None) -> bool:
    """Return whether what is asked for behind the code `before` is written, or too improbable already.

    By `calibration` its probability is what the suggestion's confidence will be.
    """
    portion = portion_of(pieces, 1.0, limits.extent, before)
    return portion.end is not None or worth(portion.bound, calibration) < limits.confidence
