from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.infill.pieces import Piece
from dllm_lsp.suggest.candidate import Candidate

ABC = Candidate((Piece("ab", 0.5), Piece("c ", 0.5), Piece(" ", 0.5)), end=0.5)


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
