import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.text.positions import Encoding, column_at, units_at

LINE = "aé😀e\u0301\t中\r\n"  # a, two bytes, a surrogate pair, a combining accent, a tab, three bytes
STARTS = {
    Encoding.UTF8: [0, 1, 3, 7, 8, 10, 11, 14],
    Encoding.UTF16: [0, 1, 2, 4, 5, 6, 7, 8],
    Encoding.UTF32: [0, 1, 2, 3, 4, 5, 6, 7],
}
CODECS = {Encoding.UTF8: "utf-8", Encoding.UTF16: "utf-16-le", Encoding.UTF32: "utf-32-le"}
WIDTHS = {Encoding.UTF8: 1, Encoding.UTF16: 2, Encoding.UTF32: 4}

contents = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)


@pytest.mark.parametrize("encoding", Encoding)
def test_every_character_starts_where_the_encoding_says(encoding: Encoding) -> None:
    assert [units_at(LINE, column, encoding) for column in range(8)] == STARTS[encoding]
    assert [column_at(LINE, units, encoding) for units in STARTS[encoding]] == list(range(8))


@pytest.mark.parametrize(("encoding", "units"), [(Encoding.UTF16, [3]), (Encoding.UTF8, [4, 5, 6])])
def test_an_offset_inside_a_character_is_its_start(encoding: Encoding, units: list[int]) -> None:
    assert {column_at(LINE, inside, encoding) for inside in units} == {2}


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", Encoding)
def test_an_offset_behind_the_content_stays_before_the_line_end(encoding: Encoding, end: str) -> None:
    assert column_at("é😀" + end, 99, encoding) == 2
    assert column_at("ab" + end, 3, encoding) == 2


@given(content=contents, units=st.integers(0, 100), encoding=st.sampled_from(Encoding))
def test_a_column_is_the_characters_that_fit_before_the_offset(
    content: str, units: int, encoding: Encoding
) -> None:
    sizes = [len(character.encode(CODECS[encoding])) // WIDTHS[encoding] for character in content]
    fitting = [column for column in range(len(content) + 1) if sum(sizes[:column]) <= units]
    assert column_at(content + "\n", units, encoding) == fitting[-1]
    assert units_at(content, fitting[-1], encoding) == sum(sizes[: fitting[-1]])
