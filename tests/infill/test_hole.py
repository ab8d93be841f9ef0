"""What of a document belongs to a hole, and how a model sees it."""

from __future__ import annotations

import pytest
from marked import hole_of
from msgspec.structs import replace


@pytest.mark.parametrize(
    ("marked", "rest"),
    [
        ("if x is N¦one:\n", "one"),
        ("get_¦name2(x)\n", "name2"),
        ("caf¦\u00e9s\n", "\u00e9s"),
        ("f(¦self)\n", ""),
        ("f(self¦)\n", ""),
        ("self¦\n", ""),
        ("¦self\n", ""),
        ("¦", ""),
    ],
)
def test_the_rest_of_a_word_belongs_to_the_hole(marked: str, rest: str) -> None:
    hole = hole_of(marked)
    assert hole.rest_of_word == rest
    assert hole.with_whole_word == replace(hole, after=hole.after[len(rest) :])


def test_tabs_that_lines_begin_with_are_seen_as_spaces() -> None:
    hole = replace(
        hole_of("def f():\n\tx = '\t'\n\t¦\t# c\n\t\ty = 1\n"), snippets=("\ta = 1\n  \tb\n\n\tc",)
    )
    seen = hole.in_spaces
    assert seen.before == "def f():\n    x = '\t'\n    "
    assert seen.after == "\t# c\n        y = 1\n"
    assert seen.snippets == ("    a = 1\n      b\n\n    c",)


def test_a_language_that_is_written_with_tabs_keeps_them() -> None:
    hole = hole_of("func f() {\n\t¦\n}\n", "go")
    assert hole.in_spaces is hole
