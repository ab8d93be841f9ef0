from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marked import hole_of

from dllm_lsp.suggest.overlap import (
    joins,
    repeats_neighbor,
    says_again,
    without_lines_below,
    without_tail,
)
from dllm_lsp.syntax.region import region_of


@pytest.mark.parametrize(
    ("marked", "text", "kept"),
    [
        ("x = f(¦, b)\n", "a, b)", "a"),
        ("x = f(¦, b)\n", "a", "a"),
        ("if x¦:\n", " > 3:", " > 3"),
        ("¦ = 3\n", "x = 3", "x"),
        ("pa¦s\n", "s", "s"),
        ("x = ¦0\n", "10", "10"),
        ("f(¦)\n", "a)", "a)"),
        ("f(¦\n", "a)", "a)"),
        ("if x¦ > 3:\n", " < y > 3:\n    pass", " < y"),
        ("if x¦ > 3:\n", " in (\n    1\n) > 3:", " in (\n    1\n)"),
        ("for x¦ in y:\n", ", z\n  in y:\n", ", z\n "),
        # A copy of only the beginning of it, over one token or several.
        ("def f(¦, other):\n", "self, other", "self"),
        ("f(¦**kwargs)\n", "a, **", "a, "),
        ("x = ¦'b'\n", "a + '", "a + "),
        ("x: str ¦| None = None\n", "| None", ""),
        ("if a ¦and b:\n", "> 3 and", "> 3 "),
        ("# Call `f¦`, then\n", "()`, th", "()"),
        ("f(¦band)\n", "a, b and", "a, b and"),
        ("f(¦, b)\n", "a,\n  b", "a,\n  b"),
    ],
)
def test_a_copy_of_the_rest_of_the_line_is_cut(marked: str, text: str, kept: str) -> None:
    assert without_tail(text, region_of(hole_of(marked), text)) == kept


@pytest.mark.parametrize(
    ("marked", "text", "kept"),
    [
        ("    ¦\n\n    return x\n", "x = 1\n    y = 2\n    return x\n\n\ndef", "x = 1\n    y = 2"),
        ("    ¦\n    return x\n", "x = 1\n    retu", "x = 1"),
        ("    ¦\n    return x\n", "x = 1\n    retu\n    pass", "x = 1\n    retu\n    pass"),
        ("    ¦\n    return x\n", "x = 1\n        return x", "x = 1\n        return x"),
        ("    ¦\n    return x\n", "x = 1\n\n", "x = 1\n\n"),
        ("f(¦)\n    return x\n", "\n    return x\n", "\n    return x\n"),
        ("    ¦", "x = 1\n\n", "x = 1\n\n"),
    ],
)
def test_a_copy_of_the_lines_below_is_cut(marked: str, text: str, kept: str) -> None:
    assert without_lines_below(text, hole_of(marked)) == kept


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("import os\n¦\nimport re\n", "import re"),
        ("import os\n¦\nimport re\n", "import json\nimport re"),
        ("import os\n¦import re\nimport ast\n", "import json\nimport ast\n"),
        ("import os\n¦\nimport re\n", "\nimport os\nimport json"),
        ("import os\n¦\n\n\nimport re\n", "import re"),
        ("    re¦\n    return x\n", "turn x"),
        ("import os\n\n¦\n", "import os"),
        ("f(¦)\nf(a)\n", "a"),
    ],
)
def test_a_copy_of_the_next_or_previous_line_is_found(marked: str, text: str) -> None:
    assert repeats_neighbor(text, hole_of(marked))


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("¦\n", "import os"),
        ("import os\n¦\nimport re\n", "import json"),
        ("{\n    {\n    ¦\n}\n", "}"),
        ("import os\nx = 1\n¦\n", "import os"),
        ("import os\n¦\nimport re\n", "import ast\nimport os"),
    ],
)
def test_other_lines_are_no_copies(marked: str, text: str) -> None:
    assert not repeats_neighbor(text, hole_of(marked))


@pytest.mark.parametrize(
    ("text", "following", "joined"),
    [
        ("self", "self, b)", True),
        ("a, ", "b)", False),
        ("1", "0", True),
        ("f", "(a)", False),
        ("", "b", False),
    ],
)
def test_two_words_become_one(text: str, following: str, joined: bool) -> None:
    assert joins(text, following) == joined


@pytest.mark.parametrize(
    ("text", "tail", "again"),
    [
        ("self, ", "self, other):", True),
        ("not ", "not a:", True),
        ("self.a, ", "self.b)", False),
        (", ", "b", False),
        ("a", "ab", False),
        ("a", "", False),
    ],
)
def test_the_words_that_follow_are_said_again(text: str, tail: str, again: bool) -> None:
    assert says_again(text, tail) == again


words = st.text(alphabet="ab( ,)\n", max_size=12)


@given(words, words, words)
def test_only_the_end_is_cut(before: str, text: str, after: str) -> None:
    assert text.startswith(without_tail(text, region_of(hole_of(f"{before}¦{after}"), text)))
