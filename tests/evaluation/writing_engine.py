"""An engine that writes what the test wants."""

from __future__ import annotations

from collections.abc import Callable, Generator

from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled, Piece


class WritingEngine:
    """Writes `text(hole)`, a word a token, in one step; remembers what it was asked."""

    before = after = 1000
    snippets = 2
    canvas = 24
    model, device = "writing", "cpu"

    def __init__(self, text: Callable[[Hole], str]) -> None:
        self._text = text
        self.asked: list[tuple[str, Hole, Limits]] = []

    def tokens(self, text: str, before: str = "") -> int:
        return len(text.split(" "))

    def infill(self, document: str, hole: Hole, limits: Limits) -> Generator[Draft, None, Infilled]:
        self.asked.append((document, hole, limits))
        first, *others = self._text(hole).split(" ")
        pieces = tuple(Piece(word, 0.9) for word in [first, *(f" {word}" for word in others)])
        yield Draft(1, pieces)
        return Infilled(pieces=pieces, end=0.8, steps=1, passes=2, encoded=5, milliseconds=1.0)
