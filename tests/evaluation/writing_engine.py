"""An engine that writes what the test wants."""

from __future__ import annotations

from collections.abc import Callable, Generator

from dllm_lsp.worker.messages import Draft, Hole, Infill, Infilled, Limits, Piece


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

    def infill(self, request: Infill) -> Generator[Draft, None, Infilled]:
        self.asked.append((request.document, request.hole, request.limits))
        first, *others = self._text(request.hole).split(" ")
        pieces = tuple(Piece(word, 0.9) for word in [first, *(f" {word}" for word in others)])
        yield Draft(id=request.id, step=1, pieces=pieces)
        return Infilled(id=request.id, pieces=pieces, end=0.8, steps=1, passes=2, encoded=5, milliseconds=1.0)
