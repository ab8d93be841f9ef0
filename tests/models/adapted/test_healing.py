import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_base import tokenizer

from dllm_lsp.models.adapted.healing import healed_start

code = st.lists(
    st.sampled_from(["word", "12", "(", ")", "_", " = ", "\n    ", "\n\n", " ", "ключ", "é", ".", ","])
)


@given(code.map("".join), st.data())
def test_what_stands_before_a_hole_has_the_tokens_that_it_has_in_the_whole(
    text: str, data: st.DataObject
) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    start = healed_start(text, cursor)
    assert start <= cursor
    before, whole = tokenizer().encode(text[:start]), tokenizer().encode(text)
    assert whole[: len(before)] == before
    assert before + tokenizer().encode(text[start:]) == whole


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("x = fo", "x ="),
        ("x = ", "x ="),
        ("x =", "x"),
        ("if x:\n    ", "if x:"),
        ("if x:\n    return", "if x:"),
        ("f(a_b", "f(a_"),
        ("x[12", "x["),
        ("\n  ", ""),
        ("", ""),
    ],
)
def test_the_word_at_the_cursor_its_blanks_and_breaks_are_written_anew(typed: str, kept: str) -> None:
    assert typed[: healed_start(typed, len(typed))] == kept
