from __future__ import annotations

import pytest

from dllm_lsp.syntax.judgment import Judgment, Verdict
from dllm_lsp.syntax.tree import errors_on_rows, judge


def test_errors_are_found_on_their_row_only() -> None:
    source = "x = 1\ny = = 2\nz = 3\n"
    assert errors_on_rows(source, range(1, 2), "python") > 0
    assert errors_on_rows(source, range(1), "python") == 0
    assert errors_on_rows(source, range(2, 3), "python") == 0


def test_missing_tokens_are_errors() -> None:
    assert errors_on_rows("f(1, 2\n", range(1), "python") == 1


def test_an_unknown_language_has_no_errors() -> None:
    assert errors_on_rows("y = = 2", range(1), "cobol") == 0


def test_errors_of_several_rows_are_counted_together() -> None:
    source = "int x = = 1;\nint y;\nint z = = 1;\n"
    assert errors_on_rows(source, range(3), "c") == 2
    assert errors_on_rows(source, range(1, 3), "c") == 1


@pytest.mark.parametrize(
    ("language", "source", "verdict"),
    [
        ("javascript", "f(a);", Verdict.COMPLETE),
        ("javascript", "f(a,", Verdict.INCOMPLETE),
        ("javascript", "foo(a, {b: 1", Verdict.INCOMPLETE),
        ("javascript", "f(a b", Verdict.INVALID),
        ("javascript", "f(a b)\ng(", Verdict.INVALID),
        ("javascript", "x = 'a", Verdict.INVALID),
        ("javascriptreact", "x = <p>don't", Verdict.INCOMPLETE),
        ("go", "x := `a", Verdict.INCOMPLETE),
        ("c", "int x; /* a", Verdict.INCOMPLETE),
        ("rust", 'fn f() { g("a', Verdict.INCOMPLETE),
    ],
)
def test_what_more_lines_can_make_right_is_unfinished(language: str, source: str, verdict: Verdict) -> None:
    assert judge(source, language).verdict is verdict


def test_the_end_of_the_first_error_is_told_in_characters() -> None:
    assert judge("x = 1;\ny = 'éé' foo bar", "javascript") == Judgment(Verdict.INVALID, 2, 13)


def test_without_a_grammar_nothing_can_be_judged() -> None:
    with pytest.raises(ValueError, match="cobol"):
        judge("x = 1", "cobol")
