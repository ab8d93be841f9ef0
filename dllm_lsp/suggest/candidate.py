"""A text on its way to a suggestion: the engine's tokens with their probabilities. Knows no document."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from dllm_lsp.infill.pieces import Piece


@dataclass(frozen=True, slots=True)
class Candidate:
    """Written tokens (no masks), and the probability that the text ends after the last of them."""

    pieces: tuple[Piece, ...]
    end: float

    @property
    def text(self) -> str:
        """The tokens' text."""
        return "".join(piece.text or "" for piece in self.pieces)

    @property
    def confidence(self) -> float:
        """The probability that the text is right as a whole, taking its tokens as independent."""
        return prod(piece.probability for piece in self.pieces) * self.end

    def cut(self, length: int) -> Candidate:
        """Return the candidate with only the first `length` characters.

        The token that is cut in two keeps its probability. The end keeps its own if only blanks are cut off; else the
        model did not end here, and the end counts as certain.
        """
        text = self.text
        if length >= len(text):
            return self
        kept: list[Piece] = []
        left = length
        for piece in self.pieces:
            if left <= 0:
                break
            shown = (piece.text or "")[:left]
            kept.append(Piece(shown, piece.probability))
            left -= len(shown)
        return Candidate(tuple(kept), 1.0 if text[length:].strip() else self.end)
