import math
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tiny_model import SOURCE, tiny_checkpoint, tiny_model, tiny_tokenizer

from dllm_lsp.engine.adapters.streams import StreamsContext, StreamsInfilling
from dllm_lsp.engine.engine import Engine
from dllm_lsp.engine.loading import infilling
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled
from dllm_lsp.models.checkpoints.checkpoint import Checkpoint
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.streams import save_streams
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.encoded import AFTER, BEFORE, Streams
from dllm_lsp.models.streams.model import StreamsConfig, StreamsModel, Surroundings
from dllm_lsp.settings import Effort

CPU = torch.device("cpu")
UNHURRIED = Limits(milliseconds=math.inf)
PATIENT = Limits(milliseconds=math.inf, effort="high")
HOLE = Hole(before="def read(path):\n    ", after="\n\n\nclass Point:\n", language="python")
EFFORTS = get_args(Effort)


def new_engine(checkpoint: Checkpoint | None = None) -> Engine:
    return Engine(*infilling(checkpoint or tiny_checkpoint()), "tiny", CPU)


ENGINE = new_engine()


def run(
    hole: Hole, limits: Limits = UNHURRIED, document: str = "a.py", engine: Engine = ENGINE
) -> tuple[list[Draft], Infilled]:
    steps = engine.infill(document, hole, limits)
    drafts = []
    while True:
        try:
            drafts.append(next(steps))
        except StopIteration as end:
            return drafts, end.value


def fill(hole: Hole, limits: Limits = UNHURRIED, document: str = "a.py", engine: Engine = ENGINE) -> Infilled:
    """Fill the hole; the time that it took is left out."""
    return replace(run(hole, limits, document, engine)[1], milliseconds=0.0)


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
    infilled = fill(Hole(before, after, language))
    assert all(piece.text is not None and 0 < piece.probability <= 1 for piece in infilled.pieces)
    assert len(infilled.pieces) <= tiny_model().config.reach
    assert 0 <= infilled.end <= 1


class Watched(StreamsInfilling):
    """Keeps the context that it was asked for last."""

    def context(self, language: str) -> StreamsContext:
        self.latest = super().context(language)
        return self.latest


def test_of_a_long_context_the_near_ends_are_seen() -> None:
    model = Watched(tiny_model(), tiny_tokenizer())
    hole = Hole(before=SOURCE * 9, after=SOURCE * 9, language="python")
    fill(hole, engine=Engine(model, tiny_tokenizer(), "tiny", CPU))
    near = tiny_tokenizer().encode(SOURCE)
    assert SOURCE.endswith("\n"), "no word is cut"
    assert len(near) * 9 > model.before + model.after
    before, after, _ = model.latest.streams
    assert before.ids[before.length - 1] == near[-1]
    assert after.ids[after.length - 8 : after.length].flip(0).tolist() == near[:8]


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("tokens", [1, 5, 10**9])
@pytest.mark.parametrize(("passes", "milliseconds"), [(1, math.inf), (3, 5.0), (10**9, math.inf)])
def test_any_limits_are_kept(effort: Effort, tokens: int, passes: int, milliseconds: float) -> None:
    limits = Limits(effort=effort, tokens=tokens, passes=passes, milliseconds=milliseconds)
    drafts, infilled = run(HOLE, limits)
    assert len(infilled.pieces) <= tokens
    assert infilled.steps == len(drafts)
    assert infilled.passes <= passes + 2  # encoding the context, and choosing among candidates
    assert all(piece.text is not None for piece in infilled.pieces)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "nothing", [{"tokens": 0}, {"tokens": -1}, {"passes": 0}, {"passes": -1}, {"milliseconds": 0.0}]
)
def test_limits_of_nothing_give_an_empty_answer_and_the_next_request_is_served(
    nothing: dict[str, float], exact: bool
) -> None:
    engine = new_engine()
    drafts, infilled = run(HOLE, replace(UNHURRIED, exact=exact, **nothing), engine=engine)
    assert drafts == []
    assert (infilled.pieces, infilled.end, infilled.steps, infilled.passes) == ((), 0.0, 0, 0)
    assert fill(HOLE, engine=engine) == fill(HOLE, engine=new_engine())


@pytest.mark.parametrize("effort", EFFORTS)
def test_an_exact_length_is_kept(effort: Effort) -> None:
    infilled = fill(HOLE, Limits(effort=effort, tokens=5, exact=True))
    assert len(infilled.pieces) == 5
    assert infilled.end == 0


def test_every_step_is_told_and_the_last_one_is_the_outcome() -> None:
    drafts, infilled = run(HOLE, PATIENT)
    assert [draft.step for draft in drafts] == list(range(1, infilled.steps + 1))
    assert drafts[-1].pieces == infilled.pieces
    assert infilled.steps > 1
    assert any(piece.text is None for piece in drafts[0].pieces)


def test_the_model_is_asked_as_it_was_trained() -> None:
    """Both streams begin with the language and end beside the hole; all of the canvas is masked."""
    first, *_ = run(HOLE, PATIENT)[0]
    model, tokenizer = tiny_checkpoint()
    begin = tokenizer.begin("python")
    streams = Streams(model.stream(60), model.stream(60))
    model.encode(torch.tensor([begin, *tokenizer.encode(HOLE.before)]), BEFORE, streams.before)
    model.encode(torch.tensor([begin, *reversed(tokenizer.encode(HOLE.after))]), AFTER, streams.after)
    canvas = torch.full((model.config.reach,), tokenizer.mask)
    with model.surroundings(streams, len(canvas)) as around:
        [logits] = model.denoise([canvas], [around])
    logits[:, [*tokenizer.never_written, *range(tokenizer.size, logits.shape[-1])]] = -math.inf
    expected = logits.softmax(-1).amax(-1)[: len(first.pieces)]
    assert [piece.probability for piece in first.pieces] == pytest.approx(expected.tolist(), rel=1e-3)


def test_passes_and_encoded_tokens_are_counted() -> None:
    engine = new_engine()
    first = fill(HOLE, engine=engine)
    before, after = (len(tiny_tokenizer().encode(text)) for text in (HOLE.before, HOLE.after))
    assert first.encoded == before + after + 2
    assert first.passes == first.steps + 1
    again = fill(HOLE, engine=engine)
    assert again.encoded == 0
    assert again.passes == again.steps
    typed = fill(Hole(HOLE.before + "x = ", HOLE.after, HOLE.language), engine=engine)
    assert 0 < typed.encoded < 4
    assert typed.passes == typed.steps + 1


def test_of_a_word_that_the_cursor_cuts_only_the_rest_is_written() -> None:
    """A model that wants nothing but "return" writes what is missing of it."""
    tokenizer = tiny_tokenizer()
    [wanted] = tokenizer.encode("return")
    spelling = Checkpoint(Single(tiny_model().config, wanted).eval().requires_grad_(False), tokenizer)
    for typed, rest in (("", "return"), ("r", "eturn"), ("re", "turn"), ("return", "")):
        hole = Hole(f"def read(path):\n    {typed}", HOLE.after, HOLE.language)
        infilled = fill(hole, Limits(tokens=1), engine=new_engine(spelling))
        assert infilled.text == rest
        assert infilled.pieces[0].probability > 0.99


def test_within_a_word_the_context_stays_as_it_is() -> None:
    engine = new_engine()
    texts = [f"def read(path):\n    {typed}" for typed in ("r", "re", "return", "return x")]
    encoded = [fill(Hole(text, "", "python"), engine=engine).encoded > 0 for text in texts]
    assert encoded == [True, False, False, True]


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
    engine = new_engine()
    steps = engine.infill("a.py", HOLE, PATIENT)
    next(steps)
    steps.close()
    again = replace(fill(HOLE, PATIENT, engine=engine), encoded=0, passes=0)
    assert again == replace(fill(HOLE, PATIENT, engine=new_engine()), encoded=0, passes=0)


def test_between_steps_the_caller_is_in_no_inference_mode() -> None:
    next(ENGINE.infill("a.py", HOLE, UNHURRIED))
    assert not torch.is_inference_mode_enabled()


def favoring(ids: list[int]) -> Checkpoint:
    """A model that would write these ids and nothing else, whatever the code."""
    model = StreamsModel(tiny_model().config)
    model.load_state_dict(tiny_model().state_dict())
    with torch.no_grad():
        model.transformer.embedding.weight[ids] *= 1000
    return Checkpoint(model.eval().requires_grad_(False), tiny_tokenizer())


def test_ids_without_text_are_never_written() -> None:
    vocabulary = tiny_model().config.transformer.vocabulary
    nameless = list(range(tiny_tokenizer().size, vocabulary))
    assert nameless
    never = [*tiny_tokenizer().never_written, *nameless]
    fill(HOLE, engine=new_engine(favoring(never)))  # would look up the text of an id that has none
    assert set(never) == set(infilling(tiny_checkpoint())[0].tokens.forbidden)


class Silent(StreamsModel):
    """Is sure that the hole is empty."""

    def denoise(self, canvases: Sequence[torch.Tensor], around: Sequence[Surroundings]) -> list[torch.Tensor]:
        found = super().denoise(canvases, around)
        for logits in found:
            logits[:, Tokenizer.delete] = 1000
        return found


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_hole_can_be_empty(effort: Effort) -> None:
    silent = Checkpoint(Silent(tiny_model().config).eval().requires_grad_(False), tiny_tokenizer())
    infilled = fill(HOLE, Limits(effort=effort), engine=new_engine(silent))
    assert infilled.pieces == ()
    assert infilled.end == pytest.approx(1)


class Single(StreamsModel):
    """Wants one token only."""

    def __init__(self, config: StreamsConfig, wanted: int) -> None:
        super().__init__(config)
        self.wanted = wanted

    def denoise(self, canvases: Sequence[torch.Tensor], around: Sequence[Surroundings]) -> list[torch.Tensor]:
        found = [torch.zeros(len(canvas), self.config.transformer.vocabulary) for canvas in canvases]
        for logits in found:
            logits[:, self.wanted] = 50.0
        return found


class Greedy(StreamsInfilling):
    """Has no memory for more than so many canvases at once."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__(tiny_model(), tiny_tokenizer())
        self.most, self.error = most, error
        self.asked: list[int] = []

    def denoise(self, canvases: Sequence[torch.Tensor], around: Sequence[Surroundings]) -> list[torch.Tensor]:
        self.asked.append(len(canvases))
        if len(canvases) > self.most:
            raise self.error
        return super().denoise(canvases, around)


class Guessing(Greedy):
    """And cannot say where a text ends."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__(most, error)
        self.tokens = self.tokens.fixed

    def fit(self, context: StreamsContext, canvas: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return torch.tensor(-float(len(canvas)))


NO_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
]


@pytest.mark.parametrize("error", NO_MEMORY)
def test_where_memory_is_short_fewer_candidates_are_tried(error: Exception) -> None:
    """The lengths 1, 2, 4, 6 and 8 at once, then four at a time, then one."""
    for most, expected in ((16, [5]), (4, [5, 4, 1]), (1, [5, 4, 1, 1, 1, 1, 1])):
        model = Guessing(most, error)
        assert fill(HOLE, PATIENT, engine=Engine(model, tiny_tokenizer(), "tiny", CPU)).pieces
        assert model.asked[: len(expected)] == expected
        assert max(model.asked[2:]) <= most


@pytest.mark.parametrize("error", NO_MEMORY)
def test_where_there_is_no_memory_at_all_that_is_said_and_the_next_request_is_served(
    error: Exception,
) -> None:
    model = Greedy(0, error)
    engine = Engine(model, tiny_tokenizer(), "tiny", CPU)
    with pytest.raises(MemoryError):
        fill(HOLE, engine=engine)
    model.most = 1
    assert fill(HOLE, engine=engine) == fill(HOLE, engine=new_engine())


def test_other_errors_are_not_taken_for_lack_of_memory() -> None:
    engine = Engine(Greedy(0, RuntimeError("shapes differ")), tiny_tokenizer(), "tiny", CPU)
    with pytest.raises(RuntimeError, match="shapes differ"):
        fill(HOLE, engine=engine)


def test_a_folder_is_loaded(tmp_path: Path) -> None:
    save_streams(tmp_path, *tiny_checkpoint(), torch.float32)  # type: ignore[arg-type]
    engine = Engine.load(str(tmp_path), "cpu", torch.get_num_threads())
    assert (engine.model, engine.device, engine.canvas) == (str(tmp_path), "cpu", tiny_model().config.reach)
    assert engine.before > tiny_model().config.before
    assert engine.tokens(SOURCE) == len(tiny_tokenizer().encode(SOURCE))
    assert fill(HOLE, engine=engine) == fill(HOLE, engine=new_engine())


def test_a_bad_folder_or_device_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no folder"):
        Engine.load(str(tmp_path / "nowhere"), "cpu", 0)
    for device in ("gpu", "cuda:99"):
        with pytest.raises(ValueError, match=f'"engine.device" is "{device}"'):
            Engine.load(str(tmp_path), device, 0)
