import pytest

from bench.keystrokes import keystrokes, open_file
from dllm_lsp.evaluation.editor import moved
from dllm_lsp.text.document import Document, Position, split_lines
from dllm_lsp.text.positions import Encoding


def typed(lines: int, limit: int) -> Document:
    keys = keystrokes(limit)
    file = open_file(lines, keys)
    document = Document("a.py", "python", 0, file.text, Encoding.UTF32)
    cursor = file.cursor
    for key in keys:
        document.replace(cursor, cursor, key)
        cursor = moved(cursor, key)
    return document


@pytest.mark.parametrize("limit", [1, 7, 60, 100_000])
@pytest.mark.parametrize("lines", [100, 101, 1000])
def test_the_file_is_as_long_as_it_says_once_all_is_typed(lines: int, limit: int) -> None:
    snapshot = typed(lines, limit).snapshot(Position(0, 0))
    assert len([line for line in snapshot.lines if line]) == lines


def test_what_is_typed_is_code_that_was_left_out_of_it() -> None:
    keys = keystrokes(10_000)
    whole = "".join(typed(100, 0 + 10_000).snapshot(Position(0, 0)).lines)
    assert "".join(keys) in whole
    assert "".join(keys) not in open_file(100, keys).text
    assert len("".join(keys).split("\n")) == 50


def test_a_line_break_comes_with_its_indentation() -> None:
    assert any(key.startswith("\n    ") for key in keystrokes(10_000))
    assert all(len(key) == 1 or key.startswith("\n") for key in keystrokes(10_000))


def test_files_of_all_lengths_are_alike_near_the_cursor() -> None:
    keys = keystrokes(20)
    around = []
    for lines in (100, 1000):
        file = open_file(lines, keys)
        row = file.cursor.line
        around.append(split_lines(file.text)[row - 50 : row + 40])
    assert around[0] == around[1]


@pytest.mark.parametrize(("key", "then"), [("x", (3, 5)), ("\n", (4, 0)), ("\n    ", (4, 4))])
def test_where_the_cursor_goes(key: str, then: tuple[int, int]) -> None:
    assert moved(Position(3, 4), key) == Position(*then)
