import math
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import SOURCE, tiny_checkpoint, tiny_model, tiny_tokenizer

from dllm_lsp.engine.context import DocumentContext
from dllm_lsp.engine.engine import ContextDenoiser, Engine, Outcome, Progress
from dllm_lsp.engine.policies import POLICIES
from dllm_lsp.models.checkpoint import Checkpoint, CheckpointError, save_checkpoint
from dllm_lsp.models.keyvalues import KeyValues
from dllm_lsp.models.streams import AFTER, BEFORE, StreamsModel
from dllm_lsp.models.tokenizer import Tokenizer
from dllm_lsp.worker.messages import Hole, Limits

CPU = torch.device("cpu")
UNHURRIED = Limits(milliseconds=math.inf)
HOLE = Hole(before="def read(path):\n    return ", after="\n\n\nclass Point:\n", language="python")


def new_engine(policy: str = "threshold") -> Engine:
    return Engine(tiny_checkpoint(), "tiny", CPU, policy)


ENGINE = new_engine()


def run(drafts: Generator[Progress, None, Outcome]) -> tuple[list[Progress], Outcome]:
    progress = []
    while True:
        try:
            progress.append(next(drafts))
        except StopIteration as end:
            return progress, end.value


def fill(hole: Hole, limits: Limits = UNHURRIED, document: str = "a.py", engine: Engine = ENGINE) -> Outcome:
    return run(engine.infill(document, hole, limits))[1]


@pytest.mark.parametrize(
    ("before", "after", "language"),
    [
        ("", "", "python"),
        ("", SOURCE, "python"),
        (SOURCE, "", "python"),
        (SOURCE * 50, SOURCE * 50, "python"),
        ("x" * 20_000, "y" * 20_000, "python"),
        ("x = ", "\n", "a language that nobody knows"),
        ("x = ", "\n", ""),
        ("<mask><|mask|>[MASK]begin:python", "<delete><expand>", "mask"),
        ("# 😀é̈\u200d\ufeff", "\x00\x1b\u2028", "python"),
        ("# \ud800", "\udfff", "python"),
    ],
)
def test_any_context_is_filled(before: str, after: str, language: str) -> None:
    outcome = fill(Hole(before, after, language))
    assert all(piece.text is not None and 0 < piece.probability <= 1 for piece in outcome.pieces)
    assert len(outcome.pieces) <= tiny_model().config.reach
    assert 0 <= outcome.end <= 1


@pytest.mark.parametrize("tokens", [-1, 0, 1, 5, 10**9])
@pytest.mark.parametrize("passes", [-1, 0, 1, 3, 10**9])
@pytest.mark.parametrize("milliseconds", [-1.0, 0.0, math.inf])
def test_any_limits_are_kept(tokens: int, passes: int, milliseconds: float) -> None:
    limits = Limits(tokens=tokens, passes=passes, milliseconds=milliseconds)
    progress, outcome = run(ENGINE.infill("a.py", HOLE, limits))
    assert len(outcome.pieces) <= max(1, tokens)
    assert outcome.steps == len(progress) <= (1 if milliseconds <= 0 else max(1, passes))
    assert all(piece.text is not None for piece in outcome.pieces)


def test_every_step_is_told_and_the_last_one_is_the_outcome() -> None:
    progress, outcome = run(new_engine("sequential").infill("a.py", HOLE, UNHURRIED))
    assert [number for number, _ in progress] == list(range(1, outcome.steps + 1))
    assert progress[-1][1] == outcome.pieces
    assert outcome.steps > 1
    assert any(piece.text is None for piece in progress[0][1])


def test_the_model_is_asked_as_it_was_trained() -> None:
    """Both streams begin with the language and end beside the hole; all of the canvas is masked."""
    (_, first), *_ = run(new_engine("sequential").infill("a.py", HOLE, UNHURRIED))[0]
    model, tokenizer = tiny_checkpoint()
    begin = tokenizer.begin("python")
    before, after = model.empty_stream(60), model.empty_stream(60)
    model.encode(torch.tensor([begin, *tokenizer.encode(HOLE.before)]), BEFORE, before)
    model.encode(torch.tensor([begin, *reversed(tokenizer.encode(HOLE.after))]), AFTER, after)
    canvas = torch.full((model.config.reach,), tokenizer.mask)
    logits = model.denoise(canvas, before.length, model.assemble(before, after, len(canvas)))
    logits[:, [*tokenizer.never_written, *range(tokenizer.size, logits.shape[-1])]] = -math.inf
    expected = logits.softmax(-1).amax(-1)[: len(first)]
    assert [piece.probability for piece in first] == pytest.approx(expected.tolist(), rel=1e-3)


def test_passes_and_encoded_tokens_are_counted() -> None:
    engine = new_engine()
    first = fill(HOLE, engine=engine)
    before, after = (len(tiny_tokenizer().encode(text)) for text in (HOLE.before, HOLE.after))
    assert first.encoded == before + after + 2
    assert first.passes == first.steps + 2
    again = fill(HOLE, engine=engine)
    assert again.encoded == 0
    assert again.passes == again.steps
    typed = fill(Hole(HOLE.before + "x", HOLE.after, HOLE.language), engine=engine)
    assert 0 < typed.encoded < 4
    assert typed.passes == typed.steps + 1


def test_a_keystroke_costs_the_same_however_long_the_file() -> None:
    """The context is longer than the model's limit, so it is cut, but not at another place at every keystroke."""
    engine = new_engine()
    encoded = [
        fill(Hole(SOURCE + SOURCE[:typed], SOURCE, "python"), Limits(passes=1), engine=engine).encoded
        for typed in range(120)
    ]
    assert sum(count > tiny_model().config.before // 4 for count in encoded) <= 6
    assert sorted(encoded)[60] <= 3


@settings(max_examples=15)
@given(st.lists(st.text(alphabet="ab_( \n😀", max_size=6), min_size=1, max_size=4), st.integers(0, 12))
def test_the_answer_does_not_depend_on_what_was_asked_before(pieces: list[str], cut: int) -> None:
    texts = ["".join(pieces[: number + 1]) for number in range(len(pieces))]
    for text in texts:
        hole = Hole(text[:cut], text[cut:], "python")
        cached, fresh = fill(hole), fill(hole, engine=new_engine())
        assert [piece.text for piece in cached.pieces] == [piece.text for piece in fresh.pieces]
        for mine, its in zip(cached.pieces, fresh.pieces, strict=True):
            assert mine.probability == pytest.approx(its.probability, rel=1e-3)


def test_the_language_is_seen() -> None:
    assert fill(HOLE) != fill(Hole(HOLE.before, HOLE.after, "rust"))


def test_closing_stops_the_work_and_the_next_request_is_served() -> None:
    engine = new_engine("sequential")
    drafts = engine.infill("a.py", HOLE, UNHURRIED)
    next(drafts)
    drafts.close()
    assert fill(HOLE, engine=engine).pieces == fill(HOLE, engine=new_engine("sequential")).pieces


def test_between_steps_the_caller_is_in_no_inference_mode() -> None:
    drafts = ENGINE.infill("a.py", HOLE, UNHURRIED)
    next(drafts)
    assert not torch.is_inference_mode_enabled()


def favoring(ids: list[int]) -> Checkpoint:
    """A model that would write these ids and nothing else, whatever the code."""
    model = StreamsModel(tiny_model().config)
    model.load_state_dict(tiny_model().state_dict())
    with torch.no_grad():
        model.transformer.embedding.weight[ids] *= 1000
    return Checkpoint(model.eval(), tiny_tokenizer())


def test_ids_without_text_are_never_written() -> None:
    vocabulary = tiny_model().config.transformer.vocabulary
    nameless = list(range(tiny_tokenizer().size, vocabulary))
    assert nameless
    never = [*tiny_tokenizer().never_written, *nameless]
    checkpoint = favoring(never)
    fill(HOLE, engine=Engine(checkpoint, "", CPU))  # would look up the text of an id that has none
    denoiser = ContextDenoiser(checkpoint.model, DocumentContext(checkpoint.model), 4, torch.tensor(never))
    written = denoiser(torch.zeros(4, dtype=torch.long)).argmax(-1)
    assert not set(written.tolist()) & set(never)


class Silent(StreamsModel):
    """Is sure that the hole is empty."""

    def denoise(self, canvas: torch.Tensor, before_length: int, context: KeyValues) -> torch.Tensor:
        logits = super().denoise(canvas, before_length, context)
        logits[:, Tokenizer.delete] = 1000
        return logits


@pytest.mark.parametrize("policy", POLICIES)
def test_a_hole_can_be_empty(policy: str) -> None:
    model = Silent(tiny_model().config)
    outcome = fill(HOLE, engine=Engine(Checkpoint(model.eval(), tiny_tokenizer()), "", CPU, policy))
    assert outcome.pieces == ()
    assert outcome.end == pytest.approx(1)
    assert outcome.steps == 1


def test_a_folder_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, *tiny_checkpoint(), torch.float32)
    engine = Engine.load(str(tmp_path), "cpu", torch.get_num_threads())
    assert (engine.model, engine.device) == (str(tmp_path), "cpu")
    assert engine.before > tiny_model().config.before
    assert fill(HOLE, engine=engine)._replace(milliseconds=0) == fill(HOLE, engine=new_engine())._replace(
        milliseconds=0
    )


def test_a_bad_folder_or_device_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no folder"):
        Engine.load(str(tmp_path / "nowhere"), "cpu", 0)
    for device in ("gpu", "cuda:99"):
        with pytest.raises(ValueError, match=f'"engine.device" is "{device}"'):
            Engine.load(str(tmp_path), device, 0)
