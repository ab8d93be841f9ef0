"""A request that is short of memory, or of time for what is related."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from tiny_model import tiny_model, tiny_tokenizer
from torch import Tensor

from dllm_lsp.engine.adapters.streams import StreamsContext, StreamsInfilling
from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.engine import Engine
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled

PATIENT = Limits(milliseconds=math.inf, effort="high")
HOLE = Hole(before="def read(path):\n    ", after="\n\n\nclass Point:\n", language="python")


def engine_of(model: StreamsInfilling) -> Engine:
    return Engine(model, tiny_tokenizer(), "tiny", torch.device("cpu"))


def fill(engine: Engine, hole: Hole = HOLE, limits: Limits = PATIENT) -> Infilled:
    steps = engine.infill("a.py", hole, limits)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


class Greedy(StreamsInfilling):
    """Cannot delete, and has no memory for more than so many canvases at once; `served` are how many it had."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__(tiny_model(), tiny_tokenizer())
        self.tokens = self.tokens.fixed
        self.most, self.error = most, error
        self.served: list[int] = []

    def fit(self, context: Any, canvas: Tensor) -> Tensor:  # type: ignore[override]
        return torch.zeros(())

    def denoise(self, canvases: Sequence[Tensor], around: Sequence[Any]) -> list[Tensor]:
        if len(canvases) > self.most:
            raise self.error
        self.served.append(len(canvases))
        return super().denoise(canvases, around)


@pytest.mark.parametrize("most", [1, 4])
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_where_memory_is_short_fewer_canvases_are_worked_on_at_a_time(most: int, error: Exception) -> None:
    """A model that cannot delete tries canvases of five lengths, at once where there is memory for it."""
    plenty, short = Greedy(5, error), Greedy(most, error)
    expected = fill(engine_of(plenty))
    assert max(plenty.served) == 5
    engine = engine_of(short)
    for _ in range(2):
        infilled = fill(engine)
        assert infilled.pieces
        assert max(short.served) == most
        assert most == 1 or infilled.text == expected.text, "all lengths were tried, and as many candidates"


class Timed(StreamsInfilling):
    """Says that encoding a snippet takes 10 ms, and all else no time; `now` is in milliseconds."""

    now = 0.0

    def context(self, language: str) -> StreamsContext:
        context = super().context(language)
        relate = context.relate

        def timed(snippets: Sequence[list[int]], has_time: Callable[[], bool], most: int) -> int:
            return relate(snippets, lambda: has_time() and self.spend(10), most)

        context.relate = timed  # type: ignore[method-assign]
        return context

    def spend(self, milliseconds: float) -> bool:
        self.now += milliseconds
        return True


def test_snippets_take_a_quarter_of_the_time_and_the_next_request_encodes_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Timed(tiny_model(snippets=3), tiny_tokenizer())
    monkeypatch.setattr(Budget, "milliseconds", property(lambda budget: model.now))
    engine = engine_of(model)
    fill(engine)
    snippets = ("import os\n", "return limit\n", "class Point:\n")
    tokens = [1 + len(tiny_tokenizer().encode(text)) for text in snippets]
    limits = Limits(milliseconds=76)  # of which a quarter is less than two snippets take
    encoded = []
    for _ in range(3):
        model.now = 0
        encoded.append(fill(engine, replace(HOLE, snippets=snippets), limits).encoded)
    assert encoded == [tokens[0] + tokens[1], tokens[2], 0]
