"""Requests that share steps: each gets what it gets alone, and what goes wrong with one is nothing to the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import tiny_adapted
import torch
from msgspec.structs import replace
from tiny_checkpoints import write_a2d, write_dream
from tiny_model import SOURCE, tiny_model, tiny_tokenizer

from dllm_lsp.engine.adapters.full import BidirectionalInfilling, Refresh
from dllm_lsp.engine.adapters.streams import StreamsInfilling
from dllm_lsp.engine.effort import EFFORTS, Effort
from dllm_lsp.engine.engine import Engine
from dllm_lsp.engine.policies import entropy_bound, sequential, threshold
from dllm_lsp.engine.request import Request
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.full import Bidirectional

pytestmark = pytest.mark.timeout(60)  # the first one imports transformers

CPU = torch.device("cpu")
FOREVER = Limits(milliseconds=math.inf)


class Wish(NamedTuple):
    """What one request asks for."""

    document: str
    hole: Hole
    limits: Limits
    effort: Effort


def hole(before: str, after: str = "\n", snippets: tuple[str, ...] = ()) -> Hole:
    return Hole(before, after, "python", snippets)


WISHES = [
    Wish("a.py", hole("def read(path):\n    ", SOURCE), FOREVER, EFFORTS["high"]),
    Wish("b.py", hole(SOURCE + "x = ret", ""), replace(FOREVER, tokens=5), EFFORTS["medium"]),
    Wish(
        "c.py",
        hole("", "    return x\n", (SOURCE,)),
        FOREVER,
        Effort(30, 2, partial(entropy_bound, bound=0.35)),
    ),
    Wish("d.py", hole("x = ", "\ny = 1\n"), replace(FOREVER, passes=2), Effort(9, 1, threshold)),
    Wish("e.py", hole("class Poi", SOURCE), replace(FOREVER, tokens=4, exact=True), Effort(9, 3, sequential)),
    Wish("f.py", hole("f(", ")"), replace(FOREVER, extent="line", confidence=0.5), EFFORTS["instant"]),
    Wish("g.py", hole("x", "y"), replace(FOREVER, tokens=0), EFFORTS["low"]),
]
"""Each with limits, stem and effort of its own."""

SHARED = [
    Wish("a.py", hole("def read(path):\n    ", SOURCE), FOREVER, EFFORTS["high"]),
    Wish("a.py", hole("class Point:\n    def moved(", "x = 1\n"), FOREVER, Effort(30, 3, sequential)),
    Wish("a.py", hole("d", SOURCE[40:], (SOURCE,)), FOREVER, EFFORTS["high"]),
    Wish("a.py", hole("", ""), replace(FOREVER, tokens=3), EFFORTS["high"]),
]
"""Places in one document, whose context is another one for each."""


@pytest.fixture(scope="module", params=["streams", "A2D", "Dream", "adapted"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    if request.param == "streams":
        return Engine(
            StreamsInfilling(tiny_model(snippets=2), tiny_tokenizer()), tiny_tokenizer(), "tiny", CPU
        )
    if request.param == "adapted":
        return Engine(tiny_adapted.infilling(), tiny_adapted.tokenizer(), "tiny", CPU)
    folder: Path = tmp_path_factory.mktemp(request.param)
    {"A2D": write_a2d, "Dream": write_dream}[request.param](folder, dtype=torch.float32)
    network, tokenizer = load_checkpoint(folder, CPU)
    assert isinstance(network, Bidirectional)
    model = BidirectionalInfilling(network, tokenizer, Refresh(every=3, change=2))
    model.canvas = 12
    return Engine(model, tokenizer, "tiny", CPU)


def begun(engine: Engine, wish: Wish) -> Request:
    return engine.begin(wish.document, wish.hole, wish.limits, wish.effort)


def alone(engine: Engine, wish: Wish) -> Infilled:
    steps = engine.infill(f"alone in {wish.document}", wish.hole, wish.limits, wish.effort)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            infilled: Infilled = end.value
            return infilled


def served(engine: Engine, wishes: Sequence[Wish], joining: int = 1) -> tuple[list[Request], int]:
    """Fill all of them, of which another one joins with every `joining`th step; return also the most in a step."""
    requests: list[Request] = []
    steps = most = 0
    while len(requests) < len(wishes) or any(request.wanted for request in requests):
        if len(requests) < len(wishes) and steps % joining == 0:
            requests.append(begun(engine, wishes[len(requests)]))
        steps += 1
        running = [request for request in requests if request.wanted]
        most = max(most, len(running))
        if running:
            engine.step(running)
    for request in requests:
        request.close()
    return requests, most


def assert_alike(request: Request, expected: Infilled) -> None:
    assert request.error is None
    found = request.infilled
    assert found is not None
    assert [piece.text for piece in found.pieces] == [piece.text for piece in expected.pieces]
    assert found.steps == expected.steps
    probabilities = [piece.probability for piece in expected.pieces]
    assert [piece.probability for piece in found.pieces] == pytest.approx(probabilities, abs=1e-3)
    assert found.end == pytest.approx(expected.end, abs=1e-3)


@pytest.mark.parametrize("joining", [1, 2])
def test_who_joins_and_leaves_gets_what_they_get_alone(engine: Engine, joining: int) -> None:
    requests, most = served(engine, WISHES, joining)
    assert most >= 3, "they share steps"
    assert len({request.infilled.steps for request in requests if request.infilled}) >= 3, "they end apart"
    for request, wish in zip(requests, WISHES, strict=True):
        assert_alike(request, alone(engine, wish))


def test_requests_of_one_document_are_not_in_each_others_way(engine: Engine) -> None:
    """The context is what the last one made it, while those before it are being filled."""
    requests, most = served(engine, SHARED)
    assert most >= 2
    for request, wish in zip(requests, SHARED, strict=True):
        assert_alike(request, alone(engine, wish))


def test_who_is_dropped_between_steps_is_not_missed(engine: Engine) -> None:
    first, second, third = (begun(engine, wish) for wish in (WISHES[0], WISHES[2], WISHES[4]))
    engine.step([first, second, third])
    second.close()
    assert second.wanted is None
    while running := [request for request in (first, third) if request.wanted]:
        engine.step(running)
    for request, wish in ((first, WISHES[0]), (third, WISHES[4])):
        assert_alike(request, alone(engine, wish))
        request.close()


class Poisoned(StreamsInfilling):
    """Fails with every pass over a canvas of three tokens."""

    def __init__(self, error: Exception) -> None:
        super().__init__(tiny_model(), tiny_tokenizer())
        self.error = error

    def denoise(self, canvases: Sequence[torch.Tensor], around: Sequence) -> list[torch.Tensor]:
        if any(len(canvas) == 3 for canvas in canvases):
            raise self.error
        return super().denoise(canvases, around)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), MemoryError()])
def test_a_request_whose_pass_fails_takes_no_other_with_it(error: Exception) -> None:
    engine = Engine(Poisoned(error), tiny_tokenizer(), "tiny", CPU)
    bad = Wish("a.py", hole("x = "), replace(FOREVER, tokens=3, exact=True), EFFORTS["medium"])
    good = [WISHES[0], WISHES[4]]
    requests, _ = served(engine, [good[0], bad, good[1]])
    assert requests[1].infilled is None
    assert type(requests[1].error) is type(error)
    for request, wish in zip(requests[::2], good, strict=True):
        assert_alike(request, alone(engine, wish))
