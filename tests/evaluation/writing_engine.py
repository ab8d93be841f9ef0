"""An engine that writes what the test wants."""

from __future__ import annotations

from collections.abc import Callable, Generator

from dllm_lsp.engine.engine import Outcome, Progress
from dllm_lsp.worker.messages import Hole, Limits, Piece


class WritingEngine:
    """Writes `text(hole)`, a word a token, in one step; remembers what it was asked."""

    before = after = 1000

    def __init__(self, text: Callable[[Hole], str]) -> None:
        self._text = text
        self.asked: list[tuple[str, Hole, Limits]] = []

    def infill(self, document: str, hole: Hole, limits: Limits) -> Generator[Progress, None, Outcome]:
        self.asked.append((document, hole, limits))
        first, *others = self._text(hole).split(" ")
        pieces = tuple(Piece(word, 0.9) for word in [first, *(f" {word}" for word in others)])
        yield 1, pieces
        return Outcome(pieces, end=0.8, steps=1, passes=2, encoded=5, milliseconds=1.0)
