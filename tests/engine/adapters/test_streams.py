"""Whatever is typed, what is cached gives the logits of what is encoded from nothing, alone and in a batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from opened import Opened
from tiny_model import tiny_model, tiny_tokenizer

from dllm_lsp.engine.adapters.streams import StreamsContext, StreamsInfilling

NETWORK = tiny_model(snippets=2)
MODEL = StreamsInfilling(NETWORK, tiny_tokenizer())
TOKENS = st.integers(12, 30)
CANVAS = [0, 15, 0, 0]

SNIPPETS = [[12, 13, 14, 15], [20, 21, 22], [23, 24]]

State = tuple[list[int], list[int], list[list[int]]]
"""The code before the hole and after it, in reading order, and related snippets."""


def context_of(state: State, language: str = "python") -> StreamsContext:
    context = MODEL.context(language)
    return changed(context, state)


def changed(context: StreamsContext, state: State) -> StreamsContext:
    before, after, snippets = state
    context.become(before, after)
    context.relate(snippets, lambda: True)
    return context


def logits(context: StreamsContext, canvas: list[int] = CANVAS) -> torch.Tensor:
    opened = Opened(MODEL, [context], len(canvas))
    [found] = opened([canvas])
    opened.close()
    return found


@st.composite
def edits(draw: st.DrawFn) -> list[State]:
    """What stands around the cursor after each of some edits: typing, deleting, moving, changing anything."""
    before, after = draw(st.lists(TOKENS, max_size=30)), draw(st.lists(TOKENS, max_size=20))
    snippets = st.lists(st.sampled_from(SNIPPETS), max_size=2)
    states = [(before, after, draw(snippets))]
    for edit in draw(st.lists(st.sampled_from(["type", "delete", "left", "right", "replace"]), max_size=8)):
        before, after = list(before), list(after)
        if edit == "type":
            before += draw(st.lists(TOKENS, max_size=3))
        elif edit == "delete":
            del before[draw(st.integers(0, len(before))) :]
        elif edit == "left":
            cut = draw(st.integers(0, len(before)))
            before, after = before[:cut], before[cut:] + after
        elif edit == "right":
            cut = draw(st.integers(0, len(after)))
            before, after = before + after[:cut], after[cut:]
        elif side := draw(st.sampled_from([before, after])):
            side[draw(st.integers(0, len(side) - 1))] = draw(TOKENS)
        states.append((before[-55:], after[:35], draw(snippets)))
    return states


@settings(max_examples=30)
@given(edits())
def test_after_any_edits_the_cached_context_is_as_good_as_a_fresh_one(states: list[State]) -> None:
    cached = MODEL.context("python")
    for state in states:
        changed(cached, state)
        torch.testing.assert_close(logits(cached), logits(context_of(state)), rtol=1e-4, atol=1e-4)


@settings(max_examples=30)
@given(edits(), st.data())
def test_rows_of_a_batch_are_as_if_each_were_alone(states: list[State], data: st.DataObject) -> None:
    """Contexts of different lengths, some serving several rows; canvases of different lengths."""
    contexts = [context_of(state) for state in states]
    rows = data.draw(st.lists(st.sampled_from(contexts), min_size=1, max_size=4))
    canvases = [CANVAS[: data.draw(st.integers(1, len(CANVAS)))] for _ in rows]
    together = Opened(MODEL, rows, len(CANVAS))(canvases)
    for row, context, canvas in zip(together, rows, canvases, strict=True):
        torch.testing.assert_close(row, logits(context, canvas), rtol=1e-4, atol=1e-4)


def test_surroundings_remember_no_earlier_canvas_and_no_later_context() -> None:
    context = context_of(([12, 13, 14], [15], SNIPPETS))
    expected, opened = logits(context), Opened(MODEL, [context], 8)
    opened([[20, 21, 22, 23, 24, 25, 26, 27]])
    changed(context, ([16], [17, 18], []))
    torch.testing.assert_close(opened([CANVAS])[0], expected, rtol=1e-4, atol=1e-4)


def test_the_language_both_sides_and_snippets_are_seen() -> None:
    state: State = [12, 13, 14], [15, 16], []
    here = logits(context_of(state))
    others = [
        logits(context_of(state, "rust")),
        logits(context_of(([12, 14, 14], [15, 16], []))),
        logits(context_of(([12, 13, 14], [15, 17], []))),
        logits(context_of(([12, 13, 14], [16, 15], []))),
        logits(context_of(([12, 13, 14], [15, 16], SNIPPETS[:1]))),
    ]
    assert all(not torch.allclose(here, other) for other in others)


def test_only_what_is_new_is_encoded() -> None:
    context = MODEL.context("python")
    assert context.become([12, 13, 14], [15, 16]) == 7  # and a begin token on each side
    assert context.become([12, 13, 14], [15, 16]) == 0
    assert context.become([12, 13, 14, 17], [15, 16]) == 1
    assert context.become([12, 13], [14, 17, 15, 16]) == 2
    assert context.become([12, 18, 14], [15, 16]) == 2
    assert context.become([], []) == 0
    assert context.relate(SNIPPETS[:1], lambda: True) == 5  # with a begin token
    assert context.relate(SNIPPETS[1::-1], lambda: True) == 4
    assert context.relate(SNIPPETS[:1], lambda: True) == 0


def test_without_time_only_snippets_are_held_that_are_encoded_already() -> None:
    context = context_of(([12], [13], SNIPPETS[:1]))
    assert context.relate(SNIPPETS[:2], lambda: False) == 0
    torch.testing.assert_close(logits(context), logits(context_of(([12], [13], SNIPPETS[:1]))))


def test_snippets_beyond_what_a_model_reads_are_left_out() -> None:
    long = list(range(12, 31)) * 2
    cut = context_of(([12], [13], [long[: NETWORK.config.snippet_tokens - 1], SNIPPETS[1]]))
    found = context_of(([12], [13], [long, *SNIPPETS[1:]]))
    torch.testing.assert_close(logits(found), logits(cut), rtol=1e-4, atol=1e-4)


def test_a_context_that_could_not_be_encoded_is_encoded_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_of(([12, 13], [14], []))

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(type(NETWORK), "encode", fail)
        with pytest.raises(MemoryError):
            context.become([12, 15, 16], [14])
    assert context.become([12, 15, 16], [14]) == 2
    torch.testing.assert_close(
        logits(context), logits(context_of(([12, 15, 16], [14], []))), rtol=1e-4, atol=1e-4
    )


def test_the_memory_of_a_context_is_known() -> None:
    shape = NETWORK.config.transformer
    tokens = NETWORK.config.before + NETWORK.config.after + 2
    assert MODEL.context("python").bytes > 2 * 4 * shape.layers * shape.width * tokens
