import re
from itertools import islice

import pytest
from tiny_model import SOURCE

from dllm_lsp.evaluation.holes import OpenLine, open_lines
from dllm_lsp.text.document import split_lines
from dllm_lsp.training.files import SourceFile

FILES = [
    SourceFile("a.py", "python", SOURCE),
    SourceFile("b.py", "python", "\n\n  \nx = 1  \ny"),
    SourceFile("empty.py", "python", ""),
]


def places(count: int = 200, seed: int = 0, files: list[SourceFile] = FILES) -> list[OpenLine]:
    return list(islice(open_lines(files, seed), count))


def original(place: OpenLine) -> list[str]:
    [file] = [file for file in FILES if file.path == place.snapshot.uri]
    return split_lines(file.text)


def test_places_are_a_function_of_the_seed() -> None:
    assert places() == places()
    assert places() != places(seed=1)


def test_only_the_rest_of_one_line_is_taken_away() -> None:
    for place in places():
        lines, row, column = list(place.snapshot.lines), place.snapshot.line, place.snapshot.column
        whole = original(place)[row]
        assert lines[row].rstrip("\n") == whole[:column]
        assert whole[:column] + place.truth == whole.rstrip()
        assert lines[row].endswith("\n") == whole.endswith("\n")
        lines[row] = whole
        assert lines == original(place)


def test_there_is_always_something_to_write() -> None:
    for place in places():
        assert place.truth.strip()
        assert place.truth == place.truth.rstrip()


def test_a_line_is_opened_before_its_code_where_a_word_starts_or_anywhere() -> None:
    seen = {"line": 0, "word": 0, "column": 0}
    inside = 0
    for place in places(600):
        seen[place.kind] += 1
        before = place.snapshot.lines[place.snapshot.line].rstrip("\n")
        assert bool(before.strip()) == (place.kind != "line")
        starts_word = re.match(r"\w", place.truth) and not re.search(r"\w$", before)
        assert place.kind != "word" or starts_word
        inside += place.kind == "column" and starts_word is None
    assert all(count > 50 for count in seen.values())
    assert inside > 50


def test_files_count_by_their_lines() -> None:
    names = [place.snapshot.uri for place in places(400)]
    assert names.count("a.py") > 250
    assert names.count("b.py") > 10


@pytest.mark.parametrize("text", ["}", "  x", "\f\ny"])
def test_the_shortest_line_has_a_place(text: str) -> None:
    assert places(3, files=[SourceFile("a.py", "python", text)])
