"""What an engine might have written."""

from __future__ import annotations

from dllm_lsp.infill.pieces import Infilled, Piece


def infilled(*pieces: str | None, probability: float = 1.0, end: float = 1.0) -> Infilled:
    return Infilled(
        pieces=tuple(Piece(piece, probability) for piece in pieces),
        end=end,
        steps=2,
        passes=3,
        encoded=40,
        milliseconds=12.0,
    )
