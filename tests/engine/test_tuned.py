"""One base and many adapters: each request is answered as by an engine that has its adapter alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from adapters import fine_tuned
from tiny_model import SOURCE, tiny_model, tiny_tokenizer
from torch import Tensor, device

from dllm_lsp import hub
from dllm_lsp.engine import tuned
from dllm_lsp.engine.adapters.causal import CausalInfilling, CausalSurroundings
from dllm_lsp.engine.adapters.streams import StreamsInfilling
from dllm_lsp.engine.engine import Engine
from dllm_lsp.engine.request import Request
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits

pytestmark = pytest.mark.timeout(60)  # the first one imports transformers

HOLE = Hole(SOURCE + "x = ", "\ny = 1\n", "python")
LIMITS = Limits(tokens=6, milliseconds=math.inf)


@pytest.fixture
def load(adapted_base: Path) -> Callable[[], Engine]:
    return lambda: Engine.load(str(adapted_base), "cpu", 1, "fp32")


def answer(request: Request) -> tuple[list[str | None], list[float]]:
    assert request.error is None
    assert request.infilled is not None
    pieces = request.infilled.pieces
    return [piece.text for piece in pieces], [piece.probability for piece in pieces]


def ask(engine: Engine, *adapters: str | None, document: str = "a.py") -> list[Request]:
    """Ask for the same hole with each adapter, all at once."""
    requests = [engine.begin(document, HOLE, LIMITS, adapter=adapter) for adapter in adapters]
    while running := [request for request in requests if request.wanted]:
        engine.step(running)
    for request in requests:
        request.close()
    return requests


def alone(engine: Engine, adapter: str | None) -> Request:
    """Ask an engine that has this adapter in place of its own."""
    if adapter is not None:
        folder = hub.adapter(adapter)
        assert folder is not None
        engine = engine.adapted(folder)
    [request] = ask(engine, None)
    return request


def test_each_adapter_answers_as_if_it_were_alone(load: Callable[[], Engine]) -> None:
    adapters = [None, fine_tuned(1), fine_tuned(2)]
    together = ask(load(), *adapters)
    answers = [answer(request) for request in together]
    for request, adapter, (texts, probabilities) in zip(together, adapters, answers, strict=True):
        expected_texts, expected = answer(alone(load(), adapter))
        assert texts == expected_texts
        assert probabilities == pytest.approx(expected, abs=1e-4)
        assert request.notice == ""
    assert answers[0] != answers[1] != answers[2] != answers[0]


def test_requests_with_one_adapter_share_passes_and_others_do_not(
    load: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[int, int]] = []
    denoise = CausalInfilling.denoise

    def noted(
        model: CausalInfilling, canvases: Sequence[Tensor], around: Sequence[CausalSurroundings]
    ) -> list[Tensor]:
        passes.append((id(model), len(canvases)))
        return denoise(model, canvases, around)

    one, other = fine_tuned(1), fine_tuned(2)
    engine = load()
    monkeypatch.setattr(CausalInfilling, "denoise", noted)
    ask(engine, one, other, one, None)
    assert sorted(count for _, count in passes[:3]) == [1, 1, 2]
    assert len({model for model, _ in passes}) == 3


def test_what_was_read_for_one_adapter_serves_another(load: Callable[[], Engine]) -> None:
    one, other = fine_tuned(1), fine_tuned(2)
    engine = load()
    [first] = ask(engine, one)
    [second] = ask(engine, other)
    assert first.infilled is not None
    assert second.infilled is not None
    assert first.infilled.encoded > 0
    assert second.infilled.encoded == 0


def test_a_pass_that_fails_with_one_adapter_is_nothing_to_the_others(
    load: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, adapter = load(), fine_tuned(1)
    broken = engine.begin("a.py", HOLE, LIMITS, adapter=adapter).model

    def fail(*_: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(broken, "denoise", fail)
    failed, well, too = ask(engine, adapter, None, adapter)
    assert isinstance(failed.error, ValueError)
    assert isinstance(too.error, ValueError)
    assert answer(well)[0] == answer(alone(load(), None))[0]


def truncated(adapter: str) -> None:
    folder = hub.adapter(adapter)
    assert folder is not None
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])


def changed(adapter: str) -> None:
    folder = hub.adapter(adapter)
    assert folder is not None
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")


def removed(adapter: str) -> None:
    folder = hub.adapter(adapter)
    assert folder is not None
    folder.rename(folder.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("make", "harm", "reason"),
    [
        (lambda: fine_tuned(1), truncated, "adapter_model.safetensors"),
        (lambda: fine_tuned(1), changed, "its files were changed"),
        (lambda: fine_tuned(1), removed, "no longer on this machine"),
        (lambda: fine_tuned(1, base="6" * 64), None, "belongs to a base of fingerprint 6666"),
        (lambda: fine_tuned(1, canvas=0), None, "does not say how it was trained"),
        (lambda: "ab" * 32, None, "the adapter abababab is no longer on this machine"),
    ],
)
def test_without_an_adapter_that_can_be_used_the_models_own_serves_on(
    load: Callable[[], Engine], make: Callable[[], str], harm: Callable[[str], None] | None, reason: str
) -> None:
    adapter, engine = make(), load()
    if harm is not None:
        harm(adapter)
    asked, own = ask(engine, adapter, None)
    assert reason in asked.notice
    assert "dllm-lsp train --repo" in asked.notice
    assert own.notice == ""
    texts, probabilities = answer(own)
    assert answer(asked) == (texts, pytest.approx(probabilities, abs=1e-4))


def test_a_model_that_takes_no_adapter_serves_without(adapted_base: Path) -> None:
    adapter = fine_tuned(1)
    engine = Engine(StreamsInfilling(tiny_model(), tiny_tokenizer()), tiny_tokenizer(), "tiny", device("cpu"))
    [asked] = ask(engine, adapter)
    assert "takes none" in asked.notice
    assert asked.infilled is not None


def test_the_last_few_are_kept_and_none_is_read_for_every_request(
    load: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load()
    looked_for: list[str] = []
    find = hub.adapter

    def noted(fingerprint: str) -> Path | None:
        looked_for.append(fingerprint)
        return find(fingerprint)

    adapters = [fine_tuned(seed) for seed in range(1, tuned.KEPT)] + ["ab" * 32]
    monkeypatch.setattr(hub, "adapter", noted)
    for _ in range(2):
        for adapter in adapters:
            ask(engine, adapter)
    assert looked_for == adapters
    monkeypatch.setattr(hub, "adapter", find)
    ask(engine, fine_tuned(9))
    monkeypatch.setattr(hub, "adapter", noted)
    ask(engine, *adapters[1:])
    assert looked_for == adapters
    ask(engine, adapters[0])
    assert looked_for == [*adapters, adapters[0]]
