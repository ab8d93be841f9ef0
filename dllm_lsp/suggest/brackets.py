"""Brackets and quotes closed once, not twice. Knows strings and comments roughly, in any language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dllm_lsp.syntax.region import Region

_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_HASH_COMMENTS = frozenset({"python", "ruby", "shellscript", "perl", "r", "elixir", "yaml", "toml"})
_STRINGS_AND_BRACKETS = r"""
    (?P<triple>\"{3}|'{3})(?:\\.|(?!(?P=triple)).)*(?:(?P=triple)|\Z)
    | "(?:\\.|[^"\\\n])*"?
    | '(?:\\.|[^'\\\n])*'?
    | `(?:\\.|[^`\\])*`?
    | [()\[\]{}]
"""
_FLAGS = re.VERBOSE | re.DOTALL
_HASH = re.compile(rf"\#[^\n]* | {_STRINGS_AND_BRACKETS}", _FLAGS)
_SLASHES = re.compile(rf"//[^\n]* | /\*.*?(?:\*/|\Z) | {_STRINGS_AND_BRACKETS}", _FLAGS)


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
    if not any(character in text for character in ")]}\"'`"):
        return text
    around = _surroundings(region)
    if around.quote and region.tail.startswith(around.quote):
        text = _without_second_quote(text, around.quote, region.tail)
    return _without_second_brackets(text, region, around)


def _without_second_quote(text: str, quote: str, tail: str) -> str:
    """Cut where `text` begins to copy the tail: at a quote that ends the string that the tail is to end."""
    quotes = [match.start() for match in re.finditer(rf"\\.|{quote}", text) if match[0] == quote]
    if len(quotes) % 2 == 0:
        return text
    copy = text[quotes[-1] :].rstrip()
    return text[: quotes[-1]] if tail.startswith(copy) or copy.startswith(tail.rstrip()) else text


def _without_second_brackets(text: str, region: Region, around: _Surroundings) -> str:
    """Cut where fewer brackets become open than are closed after the cursor, unless they are opened again."""
    stack = list(around.open)
    needed = min(around.owed, len(stack))
    cut = len(text)
    for position, token in _text_tokens(text, region):
        if token in _CLOSERS:
            stack.append(_CLOSERS[token])
            cut = len(text) if len(stack) >= needed else cut
            continue
        cut = min(cut, position) if len(stack) <= needed else cut
        if not stack:
            break
        if stack.pop() != token:
            return text  # wrong in itself: no cut would make it right
    return text[:cut]


def _surroundings(region: Region) -> _Surroundings:
    before = region.above + region.head
    around = _Surroundings(open=[], owed=0, quote="")
    later: list[str] = []
    for match in _scanner(region).finditer(before + region.tail + region.below):
        token = match[0]
        if match.start() < len(before) < match.end() and token[0] in "\"'`":
            around.quote = match["triple"] or token[0]
        if token not in "()[]{}":
            continue
        stack = around.open if match.start() < len(before) else later
        if token in _CLOSERS:
            stack.append(_CLOSERS[token])
        elif stack and stack[-1] == token:
            stack.pop()
        elif stack is later and not later:
            around.owed += 1
    return around


def _text_tokens(text: str, region: Region) -> Iterator[tuple[int, str]]:
    """Yield the brackets in `text` outside strings and comments, each with its position in `text`."""
    before = region.above + region.head
    for match in _scanner(region).finditer(before + text):
        if match.start() >= len(before) and match[0] in "()[]{}":
            yield match.start() - len(before), match[0]


def _scanner(region: Region) -> re.Pattern[str]:
    return _HASH if region.language in _HASH_COMMENTS else _SLASHES
