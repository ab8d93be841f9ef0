import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import tiny_model

from dllm_lsp.engine.context import ContextCache, DocumentContext
from dllm_lsp.models.tokenizer import Tokenizer

MODEL = tiny_model()
BEGIN = 3
TOKENS = st.integers(12, 30)


def logits(context: DocumentContext) -> torch.Tensor:
    canvas = torch.tensor([Tokenizer.mask, 15, Tokenizer.mask, Tokenizer.mask])
    assembled = MODEL.assemble(context.before.store, context.after.store, len(canvas))
    return MODEL.denoise(canvas, context.before.store.length, assembled)


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[list[int], list[int]]]:
    """What both streams hold after each of some edits: typing, deleting, moving the cursor, changing anything."""
    before, after = draw(st.lists(TOKENS, max_size=30)), draw(st.lists(TOKENS, max_size=20))
    states = [(before, after)]
    for edit in draw(st.lists(st.sampled_from(["type", "delete", "left", "right", "replace"]), max_size=8)):
        before, after = list(before), list(after)
        if edit == "type":
            before += draw(st.lists(TOKENS, max_size=3))
        elif edit == "delete":
            del before[draw(st.integers(0, len(before))) :]
        elif edit == "left":
            cut = draw(st.integers(0, len(before)))
            before, after = before[:cut], after + before[:cut:-1]
        elif edit == "right":
            cut = draw(st.integers(0, len(after)))
            before, after = before + after[:cut:-1], after[:cut]
        elif before:
            before[draw(st.integers(0, len(before) - 1))] = draw(TOKENS)
        states.append((before[:55], after[:35]))
    return states


@settings(max_examples=30)
@given(edits())
def test_after_any_edits_the_cached_context_is_as_good_as_a_fresh_one(
    states: list[tuple[list[int], list[int]]],
) -> None:
    cached = DocumentContext(MODEL)
    for before, after in states:
        fresh = DocumentContext(MODEL)
        for context in (cached, fresh):
            context.before.become([BEGIN, *before])
            context.after.become([BEGIN, *after])
        torch.testing.assert_close(logits(cached), logits(fresh), rtol=1e-4, atol=1e-4)


def test_only_what_is_new_is_encoded() -> None:
    stream = DocumentContext(MODEL).before
    assert stream.become([BEGIN, 12, 13, 14]) == 4
    assert stream.become([BEGIN, 12, 13, 14]) == 0
    assert stream.become([BEGIN, 12, 13, 14, 15, 16]) == 2
    assert stream.become([BEGIN, 12, 17, 14]) == 2
    assert stream.become([BEGIN]) == 0
    assert stream.become([BEGIN, 17]) == 1


def test_a_context_that_could_not_be_encoded_is_encoded_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    context, fresh = DocumentContext(MODEL), DocumentContext(MODEL)
    context.before.become([BEGIN, 12, 13])

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(MODEL, "encode", fail)
        with pytest.raises(MemoryError):
            context.before.become([BEGIN, 12, 14, 15])
    assert context.before.become([BEGIN, 12, 14, 15]) == 2
    fresh.before.become([BEGIN, 12, 14, 15])
    torch.testing.assert_close(logits(context), logits(fresh), rtol=1e-4, atol=1e-4)


def test_the_document_used_longest_ago_is_forgotten_first() -> None:
    cache = ContextCache(MODEL, limit=2 * DocumentContext(MODEL).bytes)
    first, second = cache.of("first"), cache.of("second")
    assert cache.of("first") is first
    third = cache.of("third")
    assert cache.of("first") is first
    assert cache.of("third") is third
    assert cache.of("second") is not second


def test_the_newest_document_stays_however_small_the_limit() -> None:
    cache = ContextCache(MODEL, limit=0)
    context = cache.of("one")
    assert cache.of("one") is context
    cache.of("two")
    assert cache.of("one") is not context
