"""The engine's side of checkpoints with full attention, against transformers' own networks run over the whole text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from opened import Opened
from tiny_checkpoints import ORDINARY, VOCABULARY, write_a2d, write_dream, write_llada, write_open_dcoder
from torch import Tensor, nn

from dllm_lsp.engine.adapters.full import FIT, BidirectionalInfilling, Entry, Refresh
from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.full import Bidirectional
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.network.transformer import Amend, Attend, Transformer

pytestmark = pytest.mark.timeout(60)  # the first one imports transformers

CPU = torch.device("cpu")
ALWAYS = Refresh(every=1)
SELDOM = Refresh(every=100, change=100)
WRITERS = {"Dream": write_dream, "LLaDA": write_llada, "Open-dCoder": write_open_dcoder, "A2D": write_a2d}

served: dict[tuple[str, int], tuple[Bidirectional, TextTokenizer, nn.Module]] = {}


@pytest.fixture(scope="module", autouse=True)
def _checkpoints(tmp_path_factory: pytest.TempPathFactory) -> None:
    for layers in (1, 2):
        for name, write in WRITERS.items():
            folder: Path = tmp_path_factory.mktemp(name)
            reference = write(folder, dtype=torch.float32, layers=layers)
            model, tokenizer = load_checkpoint(folder, CPU)
            assert isinstance(model, Bidirectional)
            served[name, layers] = model, tokenizer, reference


def infilling(name: str, refresh: Refresh, layers: int = 2) -> BidirectionalInfilling:
    model, tokenizer, _ = served[name, layers]
    return BidirectionalInfilling(model, tokenizer, refresh)


def expected(name: str, before: list[int], canvas: list[int], after: list[int], layers: int = 2) -> Tensor:
    """Run the reference over the whole text, in its order, as the family's own code does."""
    model, _, reference = served[name, layers]
    family = model.family
    begin = [] if family.begin is None else [family.begin]
    end = [] if family.end is None else [family.end]
    text = [*begin, *before, *canvas, *after, *end]
    everything = torch.zeros(1, 1, len(text), len(text))  # added to the scores: all see all
    logits = reference(torch.tensor([text]), attention_mask=everything).logits[0]
    if name in ("Dream", "Open-dCoder"):
        logits = torch.cat([logits[:1], logits[:-1]])
    start = len(begin) + len(before)
    return logits[start : start + len(canvas)]


words = st.lists(st.integers(0, 300), max_size=20)
canvases = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=12)
texts = st.lists(st.tuples(words, words), min_size=1, max_size=3)


def denoiser_between(model: BidirectionalInfilling, sides: list[tuple[list[int], list[int]]]) -> Opened:
    contexts = [model.context("python") for _ in sides]
    for context, (before, after) in zip(contexts, sides, strict=True):
        context.become(before, after)
    return Opened(model, contexts, 24)


def assert_as_expected(
    logits: list[Tensor],
    name: str,
    sides: list[tuple[list[int], list[int]]],
    rows: list[list[int]],
    layers: int = 2,
) -> None:
    for got, (before, after), canvas in zip(logits, sides, rows, strict=True):
        wanted = expected(name, before, canvas, after, layers)
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=15, deadline=None)
@given(sides=texts, data=st.data())
def test_a_pass_over_everything_is_that_of_the_reference(
    name: str, sides: list[tuple[list[int], list[int]]], data: st.DataObject
) -> None:
    denoiser = denoiser_between(infilling(name, ALWAYS), sides)
    for _ in range(2):
        rows = [data.draw(canvases) for _ in sides]
        assert_as_expected(denoiser(rows), name, sides, rows)


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=15, deadline=None)
@given(sides=texts, data=st.data())
def test_with_one_layer_what_is_kept_is_exact(
    name: str, sides: list[tuple[list[int], list[int]]], data: st.DataObject
) -> None:
    """A single layer's keys and values depend on their own token alone, so only their positions can go wrong."""
    denoiser = denoiser_between(infilling(name, SELDOM, layers=1), sides)
    for _ in range(4):
        rows = [data.draw(canvases) for _ in sides]
        assert_as_expected(denoiser(rows), name, sides, rows, layers=1)


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_kept_serves_the_same_canvas_again(name: str) -> None:
    sides = [([1, 2, 3, 4, 5], [6, 7, 8]), ([9], [10, 11, 12, 13])]
    rows = [[20, 21, 22], [30]]
    denoiser = denoiser_between(infilling(name, SELDOM), sides)
    for _ in range(3):
        assert_as_expected(denoiser(rows), name, sides, rows)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 16))
def test_what_pads_a_pass_lies_behind_what_is_seen(length: int, wanted: int, step: int) -> None:
    entry = Entry(
        *(100 + torch.arange(length) for _ in range(3)),
        torch.tensor([100 + length]),
        torch.arange(wanted),
        False,
    )
    padded = entry.padded(step)
    assert len(padded.ids) % step == len(padded.wanted) % step == 0
    assert torch.equal(padded.ids[:length], entry.ids)
    assert padded.columns.tolist() == padded.positions.tolist() == list(range(100, 100 + len(padded.ids)))
    assert torch.equal(padded.wanted[:wanted], entry.wanted)


@pytest.fixture
def widths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each pass runs the network over."""
    seen: list[int] = []
    run = Transformer.forward

    def forward(self: Transformer, x: Tensor, attend: Attend, amend: Amend) -> Tensor:
        seen.append(x.shape[1])
        return run(self, x, attend, amend)

    monkeypatch.setattr(Transformer, "forward", forward)
    return seen


@pytest.mark.parametrize(
    ("name", "window", "whole"), [("LLaDA", 4, 14), ("Open-dCoder", 5, 14), ("Dream", 5, 16)]
)
def test_everything_is_encoded_again_at_every_so_many_passes(
    name: str, window: int, whole: int, widths: list[int]
) -> None:
    denoiser = denoiser_between(infilling(name, Refresh(every=3)), [([1] * 6, [2] * 4)])
    for number in range(7):
        denoiser([[number] * 4])
    assert widths == [whole, window, window, whole, window, window, whole]


def test_a_row_is_encoded_again_when_its_own_canvas_changed_its_length_much(widths: list[int]) -> None:
    sides = [([1] * 6, [2] * 4), ([1], [2])]
    denoiser = denoiser_between(infilling("LLaDA", Refresh(every=100, change=3)), sides)
    for length in (10, 8, 7, 6, 5, 2):
        denoiser([[3] * length, [3]])
    first, second = [20, 8, 7, 16, 5, 12], [3, 1, 1, 1, 1, 1]
    assert widths == [sum(both) for both in zip(first, second, strict=True)]


def test_a_pass_that_failed_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [([1, 2, 3, 4], [5, 6, 7])]
    denoiser = denoiser_between(infilling("Dream", SELDOM, layers=1), sides)
    for rows in ([[20, 21, 22]], [[20, 23]]):
        with monkeypatch.context() as patch:
            patch.setattr(Transformer, "forward", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                denoiser(rows)
        assert_as_expected(denoiser(rows), "Dream", sides, rows, layers=1)


def test_a_fresh_encoding_sees_the_canvas_as_it_is() -> None:
    sides = [([1, 2, 3, 4], [5, 6, 7])]
    denoiser = denoiser_between(infilling("Dream", Refresh(every=2)), sides)
    first, second = [[20, 21, 22]], [[23, 24]]
    denoiser(first)
    stale = denoiser(second)[0]
    assert not torch.allclose(stale, expected("Dream", *sides[0][:1], second[0], sides[0][1]), atol=1e-2)
    assert_as_expected(denoiser(second), "Dream", sides, second)


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=10, deadline=None)
@given(sides=texts, data=st.data())
def test_fit_is_the_likelihood_of_the_masked_code_after(
    name: str, sides: list[tuple[list[int], list[int]]], data: st.DataObject
) -> None:
    model = infilling(name, SELDOM)
    rows = [data.draw(canvases) for _ in sides]
    contexts = [model.context("python") for _ in sides]
    for context, (before, after) in zip(contexts, sides, strict=True):
        context.become(before, after)
    fits = [float(model.fit(context, torch.tensor(row))) for context, row in zip(contexts, rows, strict=True)]
    for got, (before, after), canvas in zip(fits, sides, rows, strict=True):
        family = served[name, 2][0].family
        text = after if family.end is None else [*after, family.end]
        wanted, rest = text[:FIT], after[FIT:]
        if family.end is not None and len(after) < FIT:
            continue  # the end is among what is masked, where `expected` puts one behind it
        masked = [*canvas, *[family.mask] * len(wanted)]
        logits = expected(name, before, masked, rest)[len(canvas) :]
        likelihoods = logits.log_softmax(-1)[range(len(wanted)), wanted]
        assert got == pytest.approx(float(likelihoods.mean()) if wanted else 0.0, abs=1e-4)


def test_limits_leave_room_for_the_canvas_and_what_stands_around_the_text() -> None:
    for (name, _), (network, _, _) in served.items():
        family = network.family
        model = infilling(name, SELDOM)
        assert model.before + model.after + model.canvas + 2 <= family.positions
        assert model.before > model.after > 0


def test_nothing_but_ordinary_text_and_what_changes_the_length_may_be_written(tmp_path: Path) -> None:
    write_dream(tmp_path, expand=True)
    model = BidirectionalInfilling(*load_checkpoint(tmp_path, CPU))
    mask, delete, expand = ORDINARY + 4, ORDINARY, ORDINARY + 5
    assert (model.tokens.mask, model.tokens.delete, model.tokens.expand) == (mask, delete, expand)
    assert set(model.tokens.forbidden) == {*range(ORDINARY, VOCABULARY)} - {delete, expand}
