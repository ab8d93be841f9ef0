"""What is written into a hole: token by token while it is denoised, and as a whole at the end."""

from __future__ import annotations

from msgspec import Struct

from dllm_lsp.infill.calibration import Calibration, worth


class Piece(Struct, frozen=True):
    """One canvas token: its text (None while it is a mask) and the probability it was accepted with."""

    text: str | None
    probability: float


class Draft(Struct, frozen=True):
    """The canvas after one denoising step; steps count from 1."""

    step: int
    pieces: tuple[Piece, ...]


class Infilled(Struct, frozen=True, kw_only=True):
    """The filled hole.

    `end` is the probability that the text ends where it does. `steps` counts denoising steps, `passes` every
    run of the network (encoding the context counts as one), `encoded` the context tokens not found in the cache.
    """

    pieces: tuple[Piece, ...] = ()
    end: float = 0.0
    steps: int = 0
    passes: int = 0
    encoded: int = 0
    milliseconds: float = 0.0
    calibration: Calibration | None = None

    @property
    def text(self) -> str:
        """The whole text of the hole."""
        return "".join(piece.text or "" for piece in self.pieces)

    def calibrated(self, probability: float) -> float:
        """Return what a probability from this model is worth; itself where that is not known."""
        return worth(probability, self.calibration)
