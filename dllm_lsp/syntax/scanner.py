"""Strings, comments and brackets, found by a language's marks. Knows no grammar: regular expressions in a source, for
one, are taken for what they look like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from dllm_lsp.languages.language import Language, Quote


class Lexeme(NamedTuple):
    """A bracket, a string or a comment; characters [start, end) of the text.

    `text` is the bracket, or the mark that begins and ends the string, or empty. `is_closed` is false for what ends
    with the text, or with its line, for want of a mark that ends it; `may_go_on` says that more lines can bring one.
    """

    start: int
    end: int
    text: str
    is_bracket: bool = False
    is_closed: bool = True
    may_go_on: bool = False


def scan(text: str, language: Language) -> Iterator[Lexeme]:
    """Yield the lexemes of a text that begins outside of strings and comments."""
    for match in _pattern(language).finditer(text):
        kind = match.lastgroup or ""
        if kind == "bracket":
            yield Lexeme(*match.span(), match[0], is_bracket=True)
        elif kind.startswith("string"):
            number = kind.removeprefix("string")
            quote, is_closed = language.quotes[int(number)], match[f"end{number}"] is not None
            yield Lexeme(
                *match.span(), quote.mark, is_closed=is_closed, may_go_on=quote.lines and not is_closed
            )
        else:
            is_closed = kind != "block" or match["blockend"] is not None
            yield Lexeme(*match.span(), "", is_closed=is_closed, may_go_on=not is_closed)


def goes_on(text: str, language: Language) -> bool:
    """Whether the text ends inside a string or a comment that may hold more lines."""
    return any(lexeme.may_go_on for lexeme in scan(text, language))


@cache
def _pattern(language: Language) -> re.Pattern[str]:
    parts = [rf"(?P<line>{re.escape(language.line_comment)}[^\n]*)"]
    if language.block_comment:
        start, end = map(re.escape, language.block_comment)
        parts.append(rf"(?P<block>{start}.*?(?:(?P<blockend>{end})|\Z))")
    if language.literals:
        parts.append(f"(?P<literal>{language.literals})")
    parts += [f"(?P<string{n}>{_string(quote, f'end{n}')})" for n, quote in enumerate(language.quotes)]
    brackets = "".join(map("".join, language.brackets))
    parts.append(f"(?P<bracket>[{re.escape(brackets)}])")
    return re.compile("|".join(parts), re.DOTALL)


def _string(quote: Quote, end: str) -> str:
    """Return the pattern of a string, in which a group `end` matches the mark that ends it."""
    mark, escape = re.escape(quote.mark), r"\\.|" if quote.escapes else ""
    if quote.single:
        return rf"{mark}(?:\\.[^{mark}\n]*|[^{mark}\\\n])(?P<{end}>{mark})"
    if quote.lines:
        return rf"{mark}(?:{escape}(?!{mark}).)*(?:(?P<{end}>{mark})|\Z)"
    return rf"{mark}(?:{escape}[^{mark}\\\n])*(?P<{end}>{mark})?"
