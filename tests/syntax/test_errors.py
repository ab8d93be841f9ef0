from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marked import hole_of

from dllm_lsp.syntax.errors import breaks

BODY = "def f(x):\n    ¦\n    return x\n"


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("x = ¦", "f(a)"),
        ("print(¦)", "a, b"),
        ("print('¦')", "text"),
        ("'''¦", "Explain."),
        ("x = [¦", "1, 2,"),
        (BODY, "if x:"),
        (BODY, "x = f("),
        (BODY, "try:"),
        (BODY, "# it's fine)"),
        ("class A:\n    ¦\n    def f(self): ...\n", "@property"),
        ("if x:\n    y()\n¦\n    z()\n", "else:"),
        ("try:\n    f()\n¦\nx = 1\n", "except Error:"),
        ("x = {\n    'a': 1,\n    ¦\n}\n", "'b': 2,"),
        ("async def f():\n    ¦\n", "await g()"),
        ('"""Words of a docstring.\n\nAnd more ¦\n"""\nx = 1\n', "words, (see below)."),
        ("            x = 1\n    ¦\n", "def f(self):"),
        ("def f(x):¦\n", "\n    y = x\n    return y\n\n\nf(1)"),
        ("class A:\n    def f(self):\n        ¦\n", "x = 1\n\n    def g(self):\n        pass\n\n\nA()"),
        ("            x = 1\n            ¦\n", "y = 2\n        z = 3\nw = 4"),
        (BODY, "if x:\n        y = [\n            1,"),
    ],
)
def test_unfinished_and_finished_code_is_no_error(marked: str, text: str) -> None:
    assert not breaks(hole_of(marked), text)


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("x = ¦", "f(a]"),
        ("x = ¦", "= 3"),
        ("x = ¦", "'text"),
        ("if ¦", "x = 3:"),
        ("for i in ¦\n", "range(3)"),
        (BODY, "    y = 1"),
        (BODY, "else:"),
        ("def f(x):\n¦\n    return x\n", "y = 1"),
        ("x = [\n    1,\n    ¦\n]\n", "2]"),
        ("print(a¦)", " b"),
        ("print(f'{a¦}')", "}"),
        ("x¦", " = )"),
        ("def f(x):¦\n", "\n    y = x\n      return y"),
        ("def f(x):¦\n", "\n    y = x\n    return = y"),
        (BODY, "y = x\n    else:"),
        (BODY, "y = x\nz = 1"),
        ("x = [¦]\n", "\n    1,\n    2]\n"),
    ],
)
def test_new_errors_are_found(marked: str, text: str) -> None:
    assert breaks(hole_of(marked), text)


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("%timeit ¦", "f(a)"),
        ("print(a b, ¦", "c)"),
        ("x = = ¦", "3"),
        ("def f(:\n    return 1\n\ndef g():\n    x = ¦\n", "f(a)"),
        ("class A:\n    def f(:\n        x = 1\n    def g(self):\n        y = ¦\n", "f(a)"),
    ],
)
def test_errors_that_were_there_before_are_not_the_suggestions_fault(marked: str, text: str) -> None:
    assert not breaks(hole_of(marked), text)


def test_near_errors_of_others_a_new_one_is_still_found() -> None:
    marked = "class A:\n    def f(:\n        x = 1\n    def g(self):\n        y = ¦\n        z = 1\n"
    assert breaks(hole_of(marked), "1 = = 2")
    assert breaks(hole_of(marked), "1\n        z = = 2")
    assert not breaks(hole_of(marked), "1\n        z = 2")


def test_there_is_no_opinion_on_other_languages() -> None:
    assert not breaks(hole_of("let x = ¦;", "rust"), "= =")


@given(st.text(max_size=60), st.text(max_size=60), st.text())
def test_any_text_gets_an_answer(before: str, after: str, text: str) -> None:
    marked = before.replace("¦", "") + "¦" + after.replace("¦", "")
    assert breaks(hole_of(marked), text) in {True, False}
