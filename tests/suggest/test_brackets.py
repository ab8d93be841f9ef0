from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marked import hole_of

from dllm_lsp.suggest.brackets import without_second_closers
from dllm_lsp.syntax.region import region_of


def trimmed(marked: str, text: str, language: str = "python") -> str:
    return without_second_closers(text, region_of(hole_of(marked, language), text))


@pytest.mark.parametrize(
    ("marked", "text", "kept"),
    [
        ("f(¦)", "a)", "a"),
        ("f(¦)", "g(a))", "g(a)"),
        ("f(a[¦])", "0])", "0"),
        ("x = [\n    1,\n    ¦\n]\n", "2]", "2"),
        ("f(g(¦))", "a), b", "a"),
        ("x = ¦", "a)", "a"),
        ("def f(¦):\n    pass\n", "self):", "self"),
        ("f('¦')", "a')", "a"),
        ("f('¦')", "a', 'b'", "a', 'b"),
        ("f('''¦''')", "a'''", "a"),
        ('f("¦")', 'a")', "a"),
        ("f(')', ¦)", "b)", "b"),
        ("f(  # (\n    ¦\n)\n", "a)", "a"),
    ],
)
def test_what_the_document_closes_is_not_closed_again(marked: str, text: str, kept: str) -> None:
    assert trimmed(marked, text) == kept


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("f(¦", "a)"),
        ("f(g(¦)", "a)"),
        ("f(\n    g(\n        ¦\n)\n", "a)"),
        ("f(g(¦))", "a), (b"),
        ("f(¦)", "g(a)"),
        ("f(¦))", "g(a)"),
        ("f(¦ ([)", "a)"),
        ("f(¦)", "')'"),
        ("f('¦')", "a\\'"),
        ("x = {'a¦'b'}", "': "),
        ("f(a, ¦)  # (", "b"),
        ("f(¦)", "a]"),
    ],
)
def test_what_is_open_may_be_closed(marked: str, text: str) -> None:
    assert trimmed(marked, text) == text


def test_comments_are_those_of_the_language() -> None:
    assert trimmed("f(a, // (\n  ¦)", "b)", "javascript") == "b"
    assert trimmed("f(a, // (\n  ¦)", "b)", "typescriptreact") == "b"
    assert trimmed("f(a // (\n  ¦)", "b)", "python") == "b)"
    assert trimmed("f(a # (\n  ¦)", "b)", "shellscript") == "b"


def test_strings_are_those_of_the_language() -> None:
    assert trimmed("fn f<'a>(x: &'a str, ¦)", "y)", "rust") == "y"
    assert trimmed("f(`\\`, ¦)", "b)", "go") == "b"
    assert trimmed('f("¦")', 'a")', "c") == "a"


texts = st.text(alphabet="()[]{}'\"a#\\ ", max_size=20)


@given(texts, texts, texts)
def test_only_the_end_is_cut(before: str, text: str, after: str) -> None:
    assert text.startswith(trimmed(f"{before}¦{after}", text))


@given(st.lists(st.sampled_from(["()", "[]", "{}"]), min_size=1, max_size=6), st.data())
def test_a_balanced_line_stays_balanced_when_its_closers_are_written_again(
    pairs: list[str], data: st.DataObject
) -> None:
    openers, closers = "".join(pair[0] for pair in pairs), "".join(pair[1] for pair in reversed(pairs))
    copied = closers[: data.draw(st.integers(0, len(closers)))]
    assert trimmed(f"{openers}¦{closers}", f"a{copied}") == "a"
