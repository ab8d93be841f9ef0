import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.text.document import Document, Position, split_lines
from dllm_lsp.text.positions import Encoding

WIDTHS = {Encoding.UTF8: ("utf-8", 1), Encoding.UTF16: ("utf-16-le", 2), Encoding.UTF32: ("utf-32-le", 4)}

texts = st.text(st.sampled_from("ab\r\n\r\n\té😀\u0301\f\v\x1c\x85\u2028"), max_size=12)
positions = st.builds(Position, line=st.integers(0, 6), character=st.integers(0, 8))
edits = st.lists(st.tuples(positions, positions, texts) | texts, max_size=8)


def document(text: str, encoding: Encoding = Encoding.UTF16) -> Document:
    return Document("file:///a.py", "python", 1, text, encoding)


def text_of(document: Document) -> str:
    return "".join(document.snapshot(Position(0, 0)).lines)


def naive_offset(text: str, position: Position, encoding: Encoding) -> int:
    """The offset of a position in the whole text, read from the protocol's words."""
    starts = [0, *(end.end() for end in re.finditer("\r\n|\r|\n", text))]
    if position.line >= len(starts):
        return len(text)
    offset = starts[position.line]
    codec, width = WIDTHS[encoding]
    room = position.character * width
    while offset < len(text) and text[offset] not in "\r\n":
        room -= len(text[offset].encode(codec))
        if room < 0:
            break
        offset += 1
    return offset


@given(texts)
def test_lines_end_only_as_the_protocol_says(text: str) -> None:
    lines = split_lines(text)
    assert "".join(lines) == text
    assert [line.rstrip("\r\n") for line in lines] == re.split("\r\n|\r|\n", text)


@given(text=texts, edits=edits, encoding=st.sampled_from(Encoding), cursor=positions)
def test_edits_equal_those_on_a_string(
    text: str, edits: list[tuple[Position, Position, str] | str], encoding: Encoding, cursor: Position
) -> None:
    edited = document(text, encoding)
    for edit in edits:
        if isinstance(edit, str):
            edited.replace_all(edit)
            text = edit
            continue
        start, end, new = edit
        edited.replace(start, end, new)
        low, high = sorted(naive_offset(text, position, encoding) for position in (start, end))
        text = text[:low] + new + text[high:]
    snapshot = edited.snapshot(cursor)
    assert list(snapshot.lines) == split_lines(text)
    before = "".join(snapshot.lines[: snapshot.line]) + snapshot.lines[snapshot.line][: snapshot.column]
    assert len(before) == naive_offset(text, cursor, encoding)


def test_a_line_feed_typed_after_a_carriage_return_joins_it() -> None:
    edited = document("a\rb")
    edited.replace(Position(1, 0), Position(1, 0), "\n")
    assert edited.snapshot(Position(9, 9)).lines == ("a\r\n", "b")


def test_deleting_what_parts_a_carriage_return_and_a_line_feed_joins_them() -> None:
    edited = document("a\rx\nb")
    edited.replace(Position(1, 0), Position(1, 1), "")
    assert edited.snapshot(Position(0, 0)).lines == ("a\r\n", "b")


def test_a_form_feed_is_no_line_end() -> None:
    edited = document("a\f\nb\n")
    edited.replace(Position(1, 0), Position(1, 1), "c")
    assert text_of(edited) == "a\f\nc\n"


def test_a_range_written_backwards_means_the_same() -> None:
    edited = document("one two\n")
    edited.replace(Position(0, 7), Position(0, 4), "three")
    assert text_of(edited) == "one three\n"


def test_a_snapshot_does_not_change_with_its_document() -> None:
    edited = document("a\n")
    before = edited.snapshot(Position(0, 1))
    edited.replace(Position(0, 0), Position(9, 9), "b")
    assert before.lines == ("a\n", "")
    assert edited.snapshot(Position(0, 9)).lines == ("b",)


@pytest.mark.parametrize("text", ["", "a", "a\n"])
def test_a_cursor_beyond_the_end_stands_at_the_end(text: str) -> None:
    snapshot = document(text).snapshot(Position(99, 99))
    assert snapshot.line == len(snapshot.lines) - 1
    assert snapshot.column == len(snapshot.lines[-1])
