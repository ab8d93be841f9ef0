from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infills import infilled

from dllm_lsp.infill.pieces import Piece
from dllm_lsp.suggest.candidate import Candidate, first_line

ABC = Candidate((Piece("ab", 0.5), Piece("c ", 0.5), Piece(" ", 0.5)), end=0.5)


def test_the_first_line_ends_with_the_probability_of_its_line_end() -> None:
    candidate = first_line(infilled("f(", "x)", "\n", "y", probability=0.5, end=0.25))
    assert candidate is not None
    assert candidate.text == "f(x)"
    assert candidate.confidence == 0.5**3


def test_a_token_with_a_line_end_inside_counts_once() -> None:
    candidate = first_line(infilled("f(", "x)\r\n", "y", probability=0.5, end=0.25))
    assert candidate is not None
    assert candidate.text == "f(x)"
    assert candidate.confidence == 0.25


def test_one_line_ends_as_the_engine_says() -> None:
    candidate = first_line(infilled("f(", "x)", probability=0.5, end=0.5))
    assert candidate is not None
    assert candidate.confidence == 0.125


def test_masks_leave_no_line_unless_they_come_after_it() -> None:
    assert first_line(infilled("f(", None, "x)")) is None
    assert first_line(infilled("f()", "\n", None)) is not None


@pytest.mark.parametrize(
    ("length", "text", "confidence"),
    [
        (5, "abc  ", 0.0625),
        (9, "abc  ", 0.0625),
        (3, "abc", 0.125),
        (2, "ab", 0.5),
        (1, "a", 0.5),
        (0, "", 1.0),
    ],
)
def test_cutting_drops_tokens_and_their_doubts(length: int, text: str, confidence: float) -> None:
    cut = ABC.cut(length)
    assert cut.text == text
    assert cut.confidence == confidence


@given(st.lists(st.tuples(st.text(max_size=4), st.floats(0.01, 1.0)), max_size=8), st.integers(0, 40))
def test_cutting_leaves_the_beginning_and_never_lowers_the_confidence(
    tokens: list[tuple[str, float]], length: int
) -> None:
    whole = Candidate(tuple(Piece(text, probability) for text, probability in tokens), end=0.5)
    cut = whole.cut(length)
    assert cut.text == whole.text[:length]
    assert cut.confidence >= whole.confidence
