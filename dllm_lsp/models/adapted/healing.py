"""Where a hole begins: some of what stands before the cursor is written anew.

A word that ends at the cursor may go on, and a break with its indentation is one token together with what follows. So
the hole begins behind the last token that stands whatever comes next. Knows characters, no tokens: the rule holds for
vocabularies of GPT-2's kind, whose tokens never cross from letters to digits or to marks.
"""

from __future__ import annotations

_BLANK, _LETTER, _DIGIT, _MARK = range(4)


def healed_start(text: str, cursor: int) -> int:
    """Return where the hole begins for a cursor at `cursor`: never behind it, never behind a blank."""
    start = cursor
    if start and (kind := _kind(text[start - 1])) != _BLANK:
        while start and _kind(text[start - 1]) == kind:
            start -= 1
    while start and _kind(text[start - 1]) == _BLANK:
        start -= 1
    return start


def _kind(character: str) -> int:
    if character.isspace():
        return _BLANK
    if character.isalpha():
        return _LETTER
    return _DIGIT if character.isnumeric() else _MARK
