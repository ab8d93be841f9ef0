"""The adapted base as the engine asks it, against transformers' networks and against what is read from nothing."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from opened import Opened
from tiny_adapted import SHAPES, SOURCE, base, infilling, tokenizer

from dllm_lsp.engine.adapters.causal import MASK, PIECE, CausalContext, CausalInfilling, read
from dllm_lsp.engine.continuation import Continuation
from dllm_lsp.engine.engine import Engine
from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.lookup import Lookup
from dllm_lsp.engine.model import without_forbidden
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.models.adapted.geometry import END, HEAD, SINK, Kind, Stream
from dllm_lsp.models.network.keyvalues import KeyValues

pytestmark = pytest.mark.timeout(60)  # the first one imports transformers

CPU = torch.device("cpu")
MODEL = infilling()
CANVAS = [MASK, MASK, 40, MASK]


def unused() -> CausalInfilling:
    """Return the same model, in whose rooms nothing lies yet."""
    return CausalInfilling(MODEL._causal, tokenizer())


def read_on(
    model: CausalInfilling, context: CausalContext, hole: Hole, *, has_time: bool = True
) -> list[int]:
    """Read all that is lacking; return how many tokens in each piece."""
    tokens = model.read(hole)
    return list(iter(lambda: model.encode(context, tokens, lambda: has_time), 0))


def context_of(model: CausalInfilling, hole: Hole) -> CausalContext:
    context = model.context(hole.language)
    read_on(model, context, hole)
    return context


def logits(model: CausalInfilling, context: CausalContext, canvas: list[int]) -> torch.Tensor:
    opened = Opened(model, [context], len(canvas))
    [found] = opened([canvas])
    opened.close()
    return found


@pytest.mark.parametrize("name", SHAPES)
@torch.no_grad()
def test_without_an_adapter_the_first_token_is_that_of_the_base(name: str) -> None:
    """Nothing after the hole but the heads of streams, which the reference is made not to see."""
    model, (_, reference) = infilling(name, size=0.0, snippets=0), base(name)
    context = model.context("python")
    text = tokenizer().encode(SOURCE)
    read(model._network.base, [(context._before, Stream((SINK, Kind.BEFORE.mark, *text[:-1]), 700))], 9999)
    context.last, context.position = text[-1], 700 + HEAD + len(text) - 1
    expected = reference(torch.tensor([[SINK, Kind.BEFORE.mark, *text]])).logits[0, -1]
    torch.testing.assert_close(logits(model, context, [MASK])[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SHAPES)
@torch.no_grad()
def test_known_tokens_are_read_as_the_base_reads(name: str) -> None:
    """Rows up to the last known token but one look back alone, so all are what the base says of a longer text."""
    model, (_, reference) = infilling(name, size=0.0, snippets=0), base(name)
    context = model.context("python")
    text, written = tokenizer().encode(SOURCE), [40, 41, 42]
    read(model._network.base, [(context._before, Stream((SINK, Kind.BEFORE.mark, *text[:-1]), 0))], 9999)
    context.last, context.position = text[-1], HEAD + len(text) - 1
    whole = reference(torch.tensor([[SINK, Kind.BEFORE.mark, *text, *written]])).logits[0]
    found = logits(model, context, [*written, MASK])
    torch.testing.assert_close(found, whole[-4:], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_up_to_the_first_mask_nothing_further_right_is_seen_and_behind_it_everything_is() -> None:
    context = context_of(MODEL, Hole("x = f(", ")\n", "python"))
    one, other = (logits(MODEL, context, [40, 41, MASK, MASK, last, MASK]) for last in (42, 43))
    torch.testing.assert_close(one[:3], other[:3], rtol=0, atol=1e-6)
    assert not any(torch.allclose(a, b) for a, b in zip(one[3:], other[3:], strict=True))


@settings(max_examples=30)
@given(st.sampled_from(["x = f(", "x = foo.ba", "x =  ", SOURCE]), st.data())
@torch.no_grad()
def test_whatever_is_guessed_a_text_is_that_of_one_token_a_pass(before: str, data: st.DataObject) -> None:
    """Against canvases that are read whole, of what is written and one mask."""
    hole = Hole(before, ")\n", "python")
    context, stem = context_of(MODEL, hole), Stem(MODEL.read(hole).stem, tokenizer())
    true, probabilities = list[int](), list[float]()
    while len(true) < MODEL.canvas:
        row = without_forbidden(logits(MODEL, context, [*true, MASK])[-1], MODEL.tokens)
        stem.spell(true, row, is_last=len(true) + 1 == MODEL.canvas)
        probability, best = row.softmax(-1).max(-1)
        probabilities.append(float(probability))
        if best == END:
            break
        true.append(int(best))

    class Guesses(Lookup):
        def after(self, written: Sequence[int], count: int) -> tuple[int, ...]:
            known = true[len(written) : len(written) + data.draw(st.integers(0, count))]
            return (*known, *data.draw(st.lists(st.sampled_from([40, 41, 42]), max_size=count)))[:count]

    text = Continuation.of(MODEL.tokens, MODEL.canvas, Guesses([()]))
    with MODEL.surroundings(context, MODEL.canvas) as around:
        while not text.settled:
            [found] = MODEL.denoise([torch.tensor(text.canvas)], [around])
            longer = text.step(found, stem)
            MODEL.commit(around, longer.ids[len(text.ids) :])
            text = longer
    assert list(text.ids) == true
    ends = [text.end] if text.end else []
    assert [*text.probabilities, *ends] == pytest.approx(probabilities, rel=1e-4)


@torch.no_grad()
def test_only_canvas_rows_have_the_adapter() -> None:
    """What is kept of a context serves every adapter."""
    hole = Hole(SOURCE, "\nx = 1\n", "python")
    plain, changed = (context_of(infilling(size=size), hole) for size in (0.0, 0.3))
    for one, other in zip(plain.streams, changed.streams, strict=True):
        torch.testing.assert_close(one.cache.keys, other.cache.keys, rtol=0, atol=0)
    assert not torch.allclose(
        logits(infilling(size=0.0), plain, CANVAS), logits(infilling(size=0.3), plain, CANVAS)
    )


@torch.no_grad()
def test_every_stream_is_seen() -> None:
    here = Hole("x = f(", ") + 1\ny = 2\n", "python", ("def f(x): ...",))
    others = [
        Hole("x = g(", ") + 1\ny = 2\n", "python", here.snippets),
        Hole("x = f(", ") + 2\ny = 2\n", "python", here.snippets),
        Hole("x = f(", ") + 1\ny = 3\n", "python", here.snippets),
        Hole("x = f(", ") + 1\ny = 2\n", "python", ("def f(y): ...",)),
        Hole("x = f(", ") + 1\ny = 2\n", "python"),
    ]
    found = logits(MODEL, context_of(MODEL, here), CANVAS)
    assert not any(torch.allclose(found, logits(MODEL, context_of(MODEL, o), CANVAS)) for o in others)


PIECES = st.sampled_from(["x", " = ", "read", "(", ")", "\n", "    ", "return", "\t", " ", "é", "1"])


@st.composite
def edits(draw: st.DrawFn) -> list[Hole]:
    """What stands around the cursor after each of some edits and moves of it."""
    text = SOURCE + "".join(draw(st.lists(PIECES, max_size=6)))
    cursor = draw(st.integers(0, len(text)))
    holes = []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            typed = draw(PIECES)
            text, cursor = text[:cursor] + typed + text[cursor:], cursor + len(typed)
        elif draw(st.booleans()):
            cut = draw(st.integers(0, min(cursor, 8)))
            text, cursor = text[: cursor - cut] + text[cursor:], cursor - cut
        else:
            cursor = draw(st.integers(0, len(text)))
        snippets = draw(st.lists(st.sampled_from(["def f(): ...", "class A:\n    x = 1\n", ""]), max_size=2))
        holes.append(Hole(text[:cursor], text[cursor:], "python", tuple(dict.fromkeys(snippets))))
    return holes


@settings(max_examples=40)
@given(edits())
@torch.no_grad()
def test_after_any_edits_the_cached_context_is_as_good_as_a_fresh_one(holes: list[Hole]) -> None:
    cached = MODEL.context("python")
    for hole in holes:
        read_on(MODEL, cached, hole)
        fresh = logits(unused(), context_of(MODEL, hole), CANVAS)
        torch.testing.assert_close(logits(MODEL, cached, CANVAS), fresh, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "hole",
    [
        Hole("x = f(1", ")\ny = 2\n", "python", ("a", "b")),
        Hole("x = f(", ") + 1\ny = 2\n", "python", ("a", "b")),
        Hole("x = ", ")\ny = 3\n", "python", ("b", "a")),
        Hole("x = f(", ")\n", "python", ("b",)),
        Hole("", "", "python"),
    ],
)
@torch.no_grad()
def test_what_lies_in_a_room_is_taken_for_nothing_else(hole: Hole) -> None:
    model = unused()
    logits(model, context_of(model, Hole("x = f(", ")\ny = 2\n", "python", ("a", "b"))), CANVAS)
    context = context_of(model, hole)
    expected = logits(unused(), context, CANVAS)
    torch.testing.assert_close(logits(model, context, CANVAS), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_request_lays_only_what_is_new_in_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    laid, append = list[int](), KeyValues.append
    monkeypatch.setattr(
        KeyValues,
        "append",
        lambda self, keys, values: laid.append(keys.shape[2]) or append(self, keys, values),
    )
    model = unused()
    context = model.context("python")
    for typed in ("x = ", "x = re", "x = read(", "x = read("):
        read_on(model, context, Hole(SOURCE + typed, ")\n" + SOURCE, "python"))
        laid.clear()
        logits(model, context, CANVAS)
    assert sum(laid) == 0
    read_on(model, context, Hole(SOURCE + typed + "1, ", ")\n" + SOURCE, "python"))
    logits(model, context, CANVAS)
    assert 0 < sum(laid) < 10


@settings(max_examples=20)
@given(edits(), st.data())
@torch.no_grad()
def test_canvases_of_one_pass_are_as_if_each_were_alone(holes: list[Hole], data: st.DataObject) -> None:
    contexts = [context_of(MODEL, hole) for hole in holes]
    ids = st.lists(st.sampled_from([MASK, 40, 41]), min_size=1, max_size=9)
    canvases = [data.draw(ids) for _ in contexts]
    together = Opened(MODEL, contexts, 9)(canvases)
    for found, context, canvas in zip(together, contexts, canvases, strict=True):
        torch.testing.assert_close(found, logits(MODEL, context, canvas), rtol=1e-4, atol=1e-4)


def test_typing_reads_what_is_typed_and_nothing_else() -> None:
    context, read = MODEL.context("python"), []
    for typed in ("", "x", "x =", "x = re", "x = read", "x = read("):
        hole = Hole(SOURCE + typed, ")\n" + SOURCE, "python")
        read.append(sum(read_on(MODEL, context, hole)))
    assert read[0] > 100
    assert sum(read[1:]) <= len(tokenizer().encode("x = read("))


def test_a_hole_is_read_in_pieces_of_which_the_code_before_it_is_the_first() -> None:
    hole = Hole(SOURCE, ")\n" + SOURCE, "python", (SOURCE,))
    context, tokens = MODEL.context("python"), MODEL.read(hole)
    lengths = []
    while MODEL.encode(context, tokens, lambda: True):
        snippet, below, rest, before = (len(each.ids) for each in context.streams)
        lengths.append((before, rest, below, snippet))
    assert [sum(each) for each in lengths[:-1]] == [PIECE * n for n in range(1, len(lengths))]
    assert lengths == sorted(lengths)
    wanted = [
        len(tokens.before.ids) - 1,
        *(len(each.ids) for each in (tokens.rest, tokens.below, *tokens.snippets)),
    ]
    assert lengths[-1] == tuple(wanted)
    assert all(all(each[:n]) for each in lengths for n in range(4) if each[n]), "nearest first"


def test_what_was_read_when_reading_ended_is_not_read_again() -> None:
    here, there = (Hole(SOURCE + end, ")\n" + SOURCE, "python") for end in ("x = ", "y = "))
    context = MODEL.context("python")
    pieces = [MODEL.encode(context, MODEL.read(here), lambda: True) for _ in range(3)]
    assert pieces == [PIECE] * 3
    whole = sum(read_on(MODEL, MODEL.context("python"), there))
    assert sum(read_on(MODEL, context, there)) == whole - 3 * PIECE


def test_without_time_only_snippets_are_held_that_are_read_already() -> None:
    hole = Hole("x = 1\n", "\n", "python", ("def f(): ...",))
    context = MODEL.context("python")
    read_on(MODEL, context, hole, has_time=False)
    assert len(context.streams) == 3
    read_on(MODEL, context, hole)
    assert len(context.streams) == 4
    assert read_on(MODEL, context, hole, has_time=False) == []
    assert len(context.streams) == 4


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        (SOURCE * 40, SOURCE * 40),
        ("x" * 9000, "y" * 9000),
        ("\t# 😀é\u200d", "\r\n\x00"),
        ("\ud800", "\udfff"),
    ],
)
def test_any_context_is_filled(before: str, after: str) -> None:
    engine = Engine(MODEL, tokenizer(), "tiny", CPU)
    *_, last = engine.infill("a.py", Hole(before, after, "python"), Limits(milliseconds=1e6))
    assert all(piece.text is not None for piece in last.pieces)
    assert len(last.pieces) <= MODEL.canvas


@pytest.mark.parametrize(
    "limits", [Limits(confidence=0.99, milliseconds=1e6), Limits(passes=1, milliseconds=1e6)]
)
def test_what_is_improbable_or_costs_too_much_is_left_unfinished(limits: Limits) -> None:
    engine = Engine(MODEL, tokenizer(), "tiny", CPU)
    *drafts, last = engine.infill("a.py", Hole("x = f(", ")\n", "python"), limits)
    assert not drafts
    assert last.pieces[0].text is not None
    assert last.pieces[-1].text is None


def test_a_canvas_of_a_given_length_is_filled_without_an_end() -> None:
    engine = Engine(MODEL, tokenizer(), "tiny", CPU)
    limits = Limits(tokens=9, exact=True, milliseconds=1e6)
    *_, last = engine.infill("a.py", Hole("x = f(", ")\n", "python"), limits)
    assert len(last.pieces) == 9
    assert all(piece.text is not None for piece in last.pieces)


def test_special_tokens_are_never_written_but_the_end_deletes() -> None:
    assert MODEL.tokens.delete == 0
    assert set(range(1, 17)) <= set(MODEL.tokens.forbidden)
