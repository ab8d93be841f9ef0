"""What would be suggested at a place, by the product's own way (context, engine, finish), next to what stood there."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from dllm_lsp.context.window import hole_at
from dllm_lsp.engine.engine import Engine
from dllm_lsp.evaluation.holes import Kind, OpenLine
from dllm_lsp.models.tokenizer import Tokenizer
from dllm_lsp.settings import SuggestSettings
from dllm_lsp.suggest.candidate import first_line
from dllm_lsp.suggest.finish import finish
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.text.snapshot import Snapshot
from dllm_lsp.worker.messages import Infill, Infilled, Limits

_Value = TypeVar("_Value")

EVERYTHING = SuggestSettings(confidence=0.0)
"""Show whatever passes the other checks; a gate is applied to the figures."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A place, by its file, line and column from 1, the truth there, and what would be suggested.

    `suggestion` is None where nothing would be shown, and `confidence` then 0. `tokens` is how many the engine wrote
    for this line, `true_tokens` how many the truth takes, `steps` counts denoising steps and `passes` every run of the
    network. `milliseconds` is the whole way, encoding the context included.
    """

    path: str
    line: int
    column: int
    kind: Kind
    truth: str
    suggestion: str | None
    confidence: float
    tokens: int
    true_tokens: int
    steps: int
    passes: int
    milliseconds: float

    @property
    def is_exact(self) -> bool:
        """Whether the rest of the line is suggested, all of it and nothing else."""
        return self.suggestion is not None and self.suggestion.rstrip() == self.truth


def ask(engine: Engine, tokenizer: Tokenizer, place: OpenLine, limits: Limits) -> Answer:
    """Have the engine complete the line."""
    began = time.perf_counter()
    infilled, suggestion = suggest(engine, place.snapshot, limits)
    milliseconds = 1000 * (time.perf_counter() - began)
    line = first_line(infilled)
    return Answer(
        path=place.snapshot.uri,
        line=place.snapshot.line + 1,
        column=place.snapshot.column + 1,
        kind=place.kind,
        truth=place.truth,
        suggestion=suggestion.text if suggestion else None,
        confidence=suggestion.confidence if suggestion else 0.0,
        tokens=len(line.pieces) if line else len(infilled.pieces),
        true_tokens=len(tokenizer.encode(place.truth)),
        steps=infilled.steps,
        passes=infilled.passes,
        milliseconds=milliseconds,
    )


def suggest(engine: Engine, snapshot: Snapshot, limits: Limits) -> tuple[Infilled, Suggestion | None]:
    """Return what an engine in this process writes at the cursor, and what of it would be shown."""
    hole = hole_at(snapshot, engine.before, engine.after)
    request = Infill(id=0, document=snapshot.uri, method="evaluate", hole=hole, limits=limits)
    infilled = _returned(engine.infill(request))
    return infilled, finish(snapshot, infilled, EVERYTHING)


def _returned(generator: Generator[object, None, _Value]) -> _Value:
    """Run a generator to its end and return what it returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
