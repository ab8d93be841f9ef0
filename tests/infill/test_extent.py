"""How far a suggestion reaches, whether it is all there, and how probable it can still be."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.infill.extent import Extent, Portion, portion_of, portions_of
from dllm_lsp.infill.pieces import Piece

EXTENTS: list[Extent] = ["line", "block", "all"]


def portion(
    *texts: str | None, extent: Extent = "line", before: str = "", probability: float = 0.5, end: float = 0.25
) -> Portion:
    return portion_of([Piece(text, probability) for text in texts], end, extent, before)


def text_of(portion: Portion) -> str:
    return "".join(piece.text or "" for piece in portion.pieces)


@pytest.mark.parametrize(
    ("texts", "line", "end"),
    [
        (("f(", "x)", "\n", "y"), "f(x)", 0.5),
        (("f(", "x)", "\r", "y"), "f(x)", 0.5),
        (("f(", "x)\r\n", "y"), "f(x)", 1.0),
        (("f(", "x)"), "f(x)", 0.25),
        (("", "\n"), "", 0.5),
        ((), "", 0.25),
        (("f()", "\n", None), "f()", 0.5),
        (("f(", None, "x)"), "f(", None),
        (("f(", None, "\n"), "f(", None),
    ],
)
def test_a_line_ends_with_the_probability_of_its_line_end(
    texts: tuple[str | None, ...], line: str, end: float | None
) -> None:
    found = portion(*texts)
    assert (text_of(found), found.end) == (line, end)


def test_all_is_whatever_is_written() -> None:
    found = portion("a\n", "\n", "b\n", extent="all")
    assert (text_of(found), found.end, found.bound) == ("a\n\nb\n", 0.25, 0.5**3 * 0.25)
    assert portion("a\n", None, extent="all").end is None


@pytest.mark.parametrize(
    ("before", "text", "block"),
    [
        # The block that the line opens, or the one that it stands in.
        ("def f():", "\n    a\n\n    b\n\n\ndef g():\n    c", "\n    a\n\n    b"),
        ("def f():\n    x = ", "1\n    y = 2\n\n    return y\nz = 3", "1\n    y = 2\n\n    return y"),
        (
            "def f():\n    x = ",
            "1\n    if x:\n        y\n    return x\nz",
            "1\n    if x:\n        y\n    return x",
        ),
        ("class A:\n    def f(self):", "\n        a\n\n    def g", "\n        a"),
        ("x = ", "1\ny = 2\n", "1\ny = 2\n"),
        # What goes on at the statement's own indentation.
        ("if a:", "\n    b\nelif c:\n    d\nelse:\n    e\nf", "\n    b\nelif c:\n    d\nelse:\n    e"),
        (
            "try:",
            "\n    b\nexcept E:\n    d\nfinally:\n    e\nf",
            "\n    b\nexcept E:\n    d\nfinally:\n    e",
        ),
        ("x = f(", "\n    a,\n)\ny = 2", "\n    a,\n)"),
        ("if (a) {", "\n    b;\n} else {\n    c;\n}\nd", "\n    b;\n} else {\n    c;\n}"),
        ("if a:", "\n    b\nelsewhere = 1\n", "\n    b"),
        # A cursor on a blank line: the first written line counts.
        ("x = 1\n\n", "def f():\n    a\n\n\ndef g():\n    b", "def f():\n    a"),
        ("def f():\n", "    a\n    b\nc", "    a\n    b"),
        ("def f():\n    ", "\n    a\n    b\nc", "\n    a\n    b"),
        ("x\n", "\n\n", "\n\n"),
        # Tabs are as wide as four spaces, and a line end is whatever is one.
        ("\tx = ", "1\n    y = 2\nz", "1\n    y = 2"),
        ("    x = ", "1\r\n    y = 2\r\nz", "1\r\n    y = 2"),
        ("    x = 1", "\ndef f():", ""),
    ],
)
def test_a_block_ends_where_its_lines_do(before: str, text: str, block: str) -> None:
    for tokens in ([text], list(text)):
        assert text_of(portion(*tokens, extent="block", before=before)) == block


def test_a_block_ends_with_the_probability_of_line_ends_and_the_next_indentation() -> None:
    tokens = ("1", "\n", "\n", "    ", "return", " x")
    found = portion(*tokens, extent="block", before="        x = ")
    assert (text_of(found), found.end, found.bound) == ("1", 0.5**3, 0.5**4)
    ended = portion("1", "\n        ", "y", extent="block", before="        x = ")
    assert (text_of(ended), ended.end) == ("1\n        y", 0.25)


@pytest.mark.parametrize(
    ("before", "texts", "is_all_there"),
    [
        ("if a:", ("\n    b", "\n", "c", None), False),  # may become "case"
        ("if a:", ("\n    b", "\n", "c", " = ", None), True),
        ("if a:", ("\n    b", "\n", "@", None), True),
        ("if a:", ("\n    b", "\n", "c"), True),
        ("if a:", ("\n    b", "\n", "else:", None), False),
        ("if a:", ("\n    b", "\n", None, "c = 1\n"), False),
        ("    x = ", ("1", "\n", "y", None), True),
        ("    x = ", ("1", "\n", "    ", None), False),
    ],
)
def test_a_block_is_all_there_once_its_end_is_certain(
    before: str, texts: tuple[str | None, ...], is_all_there: bool
) -> None:
    assert (portion(*texts, extent="block", before=before).end is not None) == is_all_there


@pytest.mark.parametrize(
    ("texts", "extent", "portions"),
    [
        (
            ("\n    b", "\n", "    c", "\n", "    d", "\n", "e"),
            "block",
            [("\n    b\n    c\n    d", 0.5), ("\n    b\n    c", 0.5), ("\n    b", 0.5)],
        ),
        (("\n    b", "\n\n", "    c", None), "block", [("\n    b", 0.5)]),
        (("\n    b", None), "block", []),
        (("\n    b  ", "\r\n    c"), "block", [("\n    b  \r\n    c", 0.25), ("\n    b", 0.5)]),
        (("b", "\n", "c"), "line", [("b", 0.5)]),
        (("b\n", "c"), "all", [("b\nc", 0.25), ("b", 1.0)]),
    ],
)
def test_where_not_all_lines_are_good_fewer_may_be(
    texts: tuple[str | None, ...], extent: Extent, portions: list[tuple[str, float]]
) -> None:
    found = portions_of([Piece(text, 0.5) for text in texts], 0.25, extent, "if a:")
    assert [(text_of(portion), portion.end) for portion in found] == portions


def test_what_may_stand_behind_the_end_does_not_count() -> None:
    written = [Piece("a", 0.5), Piece(None, 0.1), Piece("b", 0.25)]
    assert [portion_of(written, 1.0, extent, "").bound for extent in EXTENTS] == [0.5, 0.5, 0.125]
    undecided = [Piece("\n    b", 0.5), Piece("\n", 0.5), Piece("el", 0.1), Piece(None, 0.1)]
    assert portion_of(undecided, 1.0, "block", "if a:").bound == 0.25


words = st.sampled_from(["a", "else:", "if b:", ")", "    ", "\t", "\n", "\r\n", " = 1", "x\n    y\n"])
tokens = st.lists(st.tuples(words, st.sampled_from([0.5, 0.25, 1.0])), max_size=12)


@given(
    tokens, st.sets(st.integers(0, 11)), st.sampled_from(EXTENTS), st.sampled_from(["", "    ", "  if a:"])
)
def test_a_draft_never_promises_less_than_it_becomes(
    written: list[tuple[str, float]], masked: set[int], extent: Extent, before: str
) -> None:
    final = [Piece(text, probability) for text, probability in written]
    draft = [Piece(None, 0.1) if number in masked else piece for number, piece in enumerate(final)]
    whole, early = portion_of(final, 0.5, extent, before), portion_of(draft, 0.5, extent, before)
    assert whole.end is not None
    assert whole.bound == prod(piece.probability for piece in whole.pieces) * whole.end
    assert "".join(text for text, _ in written).startswith(text_of(whole))
    if early.end is not None:
        assert early == whole
    else:
        assert early.bound >= whole.bound
