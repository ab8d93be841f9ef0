"""What a person is shown. Knows no document."""

from __future__ import annotations

from dataclasses import dataclass

from dllm_lsp.infill.pieces import Infilled


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to insert at the cursor, the probability that all of it is right, and where it came from.

    `infilled` is for figures (steps, milliseconds); None when the text did not come from an engine.
    """

    text: str
    confidence: float
    infilled: Infilled | None = None
