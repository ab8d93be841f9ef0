"""What is written into a hole, by the product's own way (context, engine, finish), next to what stood there."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from msgspec import structs

from dllm_lsp.context.window import vicinity
from dllm_lsp.engine.engine import Engine
from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.sandbox import passes
from dllm_lsp.infill.extent import portion_of
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.settings import Effort, SuggestSettings
from dllm_lsp.suggest.finish import finish
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.text.snapshot import Snapshot

_Value = TypeVar("_Value")

EVERYTHING = SuggestSettings(confidence=0.0, lines="one")
"""Show whatever passes the other checks; a gate is applied to the figures."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A case, the truth in its hole, and what was written there.

    `text` is None where nothing would be shown, and `confidence` then 0. `tokens` is how many the engine wrote for the
    text, `true_tokens` how many the truth takes, both with the word that the cursor cuts, and `fits` whether a canvas
    is long enough for them. `steps` counts denoising steps and `passes` every run of the network. `milliseconds` is
    the whole way, encoding the context included. `passed` says whether the case's program did; None where it has none.
    """

    name: str
    kind: str
    truth: str
    text: str | None
    confidence: float
    tokens: int
    true_tokens: int
    fits: bool
    steps: int
    passes: int
    milliseconds: float
    passed: bool | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the truth is written, all of it and nothing else."""
        return self.text is not None and self.text.rstrip() == self.truth.rstrip()


class Writer(NamedTuple):
    """An engine, and how hard it tries. No request has a limit on time: answers do not depend on the machine."""

    engine: Engine
    effort: Effort = "medium"

    @classmethod
    def load(
        cls, model: str, device: str, threads: int, effort: Effort = "medium", *, precision: str = "auto"
    ) -> Writer:
        """Load "bundled" or a folder; raise CheckpointError, or ValueError for a device or precision not to be had."""
        return cls(Engine.load(model, device, threads, precision), effort)

    def answer(self, case: Case, *, length_given: bool = False) -> Answer:
        """Fill the hole; with `length_given` on a canvas of as many tokens as the truth takes."""
        hole = case.hole(self.engine.before, self.engine.after, self.engine.snippets)
        rest = hole.rest_of_word
        true_tokens = self.engine.tokens(case.truth + rest, case.before)
        limits = Limits(effort=self.effort, milliseconds=math.inf, extent="line" if case.one_line else "all")
        longest = min(limits.tokens, self.engine.canvas) if case.one_line else self.engine.canvas
        tokens = true_tokens if length_given else longest
        limits = structs.replace(limits, tokens=tokens, exact=length_given)
        began = time.perf_counter()
        infilled, suggestion = suggest(self.engine, case.snapshot, hole, limits)
        milliseconds = 1000 * (time.perf_counter() - began)
        text: str | None = infilled.text.removesuffix(rest)
        pieces = infilled.pieces
        if case.one_line:
            line = portion_of(pieces, infilled.end, "line", case.before)
            text, pieces = (
                suggestion.text if suggestion else None,
                line.pieces if line.end is not None else pieces,
            )
        return Answer(
            name=case.name,
            kind=case.kind,
            truth=case.truth,
            text=text,
            confidence=suggestion.confidence if suggestion else 0.0,
            tokens=len(pieces),
            true_tokens=true_tokens,
            fits=true_tokens <= longest,
            steps=infilled.steps,
            passes=infilled.passes,
            milliseconds=milliseconds,
            passed=_passed(case, text or ""),
        )


def _passed(case: Case, text: str) -> bool | None:
    return passes((case.before + text + case.after, *case.program)) if case.program else None


def suggest(
    engine: Engine, snapshot: Snapshot, hole: Hole, limits: Limits
) -> tuple[Infilled, Suggestion | None]:
    """Return what an engine in this process writes into the hole at the cursor, and what of it would be shown."""
    infilled = returned(engine.infill(snapshot.uri, hole.with_whole_word.in_spaces, limits))
    return infilled, finish(vicinity(snapshot), infilled, EVERYTHING)


def returned(generator: Generator[object, None, _Value]) -> _Value:
    """Run a generator to its end and return what it returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
