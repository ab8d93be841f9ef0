from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.languages.known import KNOWN, PLAIN
from dllm_lsp.languages.language import Language
from dllm_lsp.languages.lookup import language_of
from dllm_lsp.syntax.scanner import goes_on, scan


def brackets(text: str, language: str) -> str:
    return "".join(lexeme.text for lexeme in scan(text, language_of(language)) if lexeme.is_bracket)


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("python", "f(')', \"(\")  # (", "()"),
        ("python", "f('''\n(''', '\\'(')", "()"),
        ("javascript", "f(`(\n` /* ( */, '(') // (", "()"),
        ("go", 'f(`\\`, \')\', "(\\"")', "()"),
        ("rust", "fn f<'a>(x: &'a str) { g('(', '\\'', '\\u{28}') }", "(){()}"),
        ("rust", 'f(r#"("("#, br"\\", "\n(")', "()"),
        ("java", 'f("""\n("( """, \'(\')', "()"),
        ("c", 'f(\'(\', "\\"(") /* ( */', "()"),
        ("cpp", "f(1'000'000, '(')", "()"),
        ("cpp", 'f(R"x(")(")x", "(")', "()"),
        ("shellscript", "f() { # (", "(){"),
        ("cobol", "f() // (", "()"),
    ],
)
def test_brackets_in_strings_and_comments_are_none(language: str, text: str, found: str) -> None:
    assert brackets(text, language) == found


@pytest.mark.parametrize(
    ("language", "text", "mark", "more"),
    [
        ("python", "x = '''a\n", "'''", True),
        ("python", "x = 'a\ny", "'", False),
        ("javascript", "x = `a\nb", "`", True),
        ("javascript", "x /* a", "", True),
        ("rust", 'x("a\n', '"', True),
        ("go", 'x("a', '"', False),
        ("java", 'x("""\na', '"""', True),
    ],
)
def test_what_does_not_end_is_told(language: str, text: str, mark: str, more: bool) -> None:
    [open_] = [lexeme for lexeme in scan(text, language_of(language)) if not lexeme.is_closed]
    assert open_.text == mark
    assert goes_on(text, language_of(language)) == open_.may_go_on == more


@pytest.mark.parametrize(
    ("language", "text"),
    [("python", "x = 'a'"), ("python", "x  # '"), ("rust", "x: &'a"), ("c", "x /* a */"), ("go", "x // a")],
)
def test_what_ends_is_closed(language: str, text: str) -> None:
    assert all(lexeme.is_closed for lexeme in scan(text, language_of(language)))


@given(st.text(alphabet="()'\"`#/*\\r \n1x", max_size=30), st.sampled_from([*KNOWN, PLAIN]))
def test_any_text_is_scanned_once(text: str, language: Language) -> None:
    ends = [0]
    for lexeme in scan(text, language):
        assert ends[-1] <= lexeme.start < lexeme.end <= len(text)
        ends.append(lexeme.end)
