import pytest

from dllm_lsp.evaluation.case import Case, Half, chosen


def test_the_cursor_stands_in_the_hole() -> None:
    snapshot = Case("a.py", "line", "def f():\n    return ", "x", "\n\ny = 1\n").snapshot
    assert "".join(snapshot.lines) == "def f():\n    return \n\ny = 1\n"
    assert (snapshot.line, snapshot.column) == (1, 11)
    assert (snapshot.uri, snapshot.language) == ("a.py", "python")


@pytest.mark.parametrize(("before", "place"), [("", (0, 0)), ("a\n", (1, 0)), ("a\nb", (1, 1))])
def test_a_hole_may_be_at_an_edge(before: str, place: tuple[int, int]) -> None:
    snapshot = Case("a.py", "line", before, "x", "").snapshot
    assert (snapshot.line, snapshot.column) == place
    assert "".join(snapshot.lines) == before


@pytest.mark.parametrize(
    ("half", "limit", "expected"),
    [("all", None, "abcde"), ("even", None, "ace"), ("odd", None, "bd"), ("all", 2, "ab"), ("odd", 1, "b")],
)
def test_halves_count_from_zero(half: Half, limit: int | None, expected: str) -> None:
    assert "".join(chosen("abcde", half, limit)) == expected
