"""When to stop before every mask is filled: what was asked for is written, or would not be shown."""

from __future__ import annotations

from collections.abc import Sequence

from dllm_lsp.infill.calibration import Calibration, worth
from dllm_lsp.infill.extent import portion_of
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Piece


def is_enough(pieces: Sequence[Piece], before: str, limits: Limits, calibration: Calibration | None) -> bool:
    """Return whether a draft that goes on behind the code `before` needs no further pass.

    That is so when what the limits ask for is written, and also when it can no longer become as probable as they
    demand. Probabilities are calibrated first, as the confidence of a suggestion is.
    """
    portion = portion_of(pieces, 1.0, limits.extent, before)
    return portion.end is not None or worth(portion.bound, calibration) < limits.confidence
