"""Brackets and quotes closed once, not twice. Knows strings and comments roughly, by their marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dllm_lsp.languages.language import Language
from dllm_lsp.languages.lookup import language_of
from dllm_lsp.syntax.region import Region
from dllm_lsp.syntax.scanner import scan


@dataclass(slots=True)
class _Surroundings:
    """At the cursor: brackets open, how many of them are closed after it, and the quote of an open string."""

    open: list[str]
    owed: int
    quote: str


def without_second_closers(text: str, region: Region) -> str:
    """Return `text` up to the first bracket or quote that what follows the cursor closes already.

    A bracket that was never opened is not closed either.
    """
    language = language_of(region.language)
    if not any(character in text for character in language.closing):
        return text
    around = _surroundings(region, language)
    if around.quote and region.tail.startswith(around.quote):
        text = _without_second_quote(text, around.quote, region.tail)
    return _without_second_brackets(text, region, language, around)


def _without_second_quote(text: str, quote: str, tail: str) -> str:
    """Cut `text` at the quote that ends the open string, if it begins a copy of the tail, which ends it too."""
    quotes = [match.start() for match in re.finditer(rf"\\.|{quote}", text) if match[0] == quote]
    if len(quotes) % 2 == 0:
        return text
    copy = text[quotes[-1] :].rstrip()
    return text[: quotes[-1]] if tail.startswith(copy) or copy.startswith(tail.rstrip()) else text


def _without_second_brackets(text: str, region: Region, language: Language, around: _Surroundings) -> str:
    """Cut `text` at a bracket that leaves fewer open than are closed after the cursor, unless more open behind it."""
    closers = language.closers
    stack = list(around.open)
    needed = min(around.owed, len(stack))
    cut = len(text)
    for position, token in _brackets(text, region, language):
        if token in closers:
            stack.append(closers[token])
            cut = len(text) if len(stack) >= needed else cut
            continue
        cut = min(cut, position) if len(stack) <= needed else cut
        if not stack:
            break
        if stack.pop() != token:
            return text  # wrong in itself: no cut would make it right
    return text[:cut]


def _surroundings(region: Region, language: Language) -> _Surroundings:
    before = region.above + region.head
    closers = language.closers
    around = _Surroundings(open=[], owed=0, quote="")
    later: list[str] = []
    for lexeme in scan(before + region.tail + region.below, language):
        if not lexeme.is_bracket:
            around.quote = lexeme.text if lexeme.start < len(before) < lexeme.end else around.quote
            continue
        stack = around.open if lexeme.start < len(before) else later
        if lexeme.text in closers:
            stack.append(closers[lexeme.text])
        elif stack and stack[-1] == lexeme.text:
            stack.pop()
        elif stack is later and not later:
            around.owed += 1
    return around


def _brackets(text: str, region: Region, language: Language) -> Iterator[tuple[int, str]]:
    """Yield the brackets in `text` outside strings and comments, each with its position in `text`."""
    before = region.above + region.head
    for lexeme in scan(before + text, language):
        if lexeme.is_bracket and lexeme.start >= len(before):
            yield lexeme.start - len(before), lexeme.text
