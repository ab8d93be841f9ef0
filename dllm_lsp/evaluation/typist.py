"""Somebody who types finished code again, and takes what is suggested where it is right.

The rules:
- *The text* is at most five lines of code with the blank ones between them, and the line break that they begin with. It
  is typed where it stood in its file. All the rest of the file is there already, and so are the other files.
- *A key* writes one character. A line break is one key together with the indentation behind it, which editors bring.
- *Speed*: after every key the editor asks for a suggestion. The typist waits for the answer, and goes on at once.
- *A suggestion is right* if it is what comes next in the text, all of it. Then the typist takes it, with one key. Any
  other is passed over: the typist types on. With `by_word` a word of it is taken with one key, if that
  is right and longer than one character.
- *A suggestion counts once*: what is left of it while its beginning is typed is the same one, and so is one that comes
  back in the same place.
- *Flicker*: the key typed is how the visible suggestion goes on, and then another text than its rest is visible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.editor import Editor
from dllm_lsp.evaluation.figures import first_word

_KEY = re.compile(r"\n[ \t]*|.")


@dataclass(frozen=True, slots=True)
class Typed:
    """A text that was typed: the keys that it has, and those that were pressed.

    `visible` is behind how many of the keys pressed something was visible, `suggestions` how many different ones that
    were, `right` how many of them were, and `flickers` how often one was replaced that went on as typed. `milliseconds`
    has the time until each key was answered.
    """

    name: str
    language: str
    keys: int
    pressed: int
    visible: int
    suggestions: int
    right: int
    flickers: int
    milliseconds: list[float]


def keys(text: str) -> list[str]:
    """Return what is typed key by key where nothing is suggested."""
    return _KEY.findall(text)


async def type_out(editor: Editor, case: Case, *, by_word: bool = False) -> Typed:
    """Type the truth of a case into an editor whose cursor stands in its hole."""
    done, text = "", ""
    suggestions: set[str] = set()
    visible, flickers = 0, 0
    milliseconds = []
    while rest := case.truth[len(done) :]:
        key = _taken(text, rest, by_word=by_word) or keys(rest)[0]
        left = text[len(key) :] if text.startswith(key) else ""
        text, waited = await editor.type(key)
        done += key
        milliseconds.append(waited)
        visible += bool(text)
        flickers += bool(left and text and text != left)
        if text:
            suggestions.add(done + text)
    return Typed(
        name=case.name,
        language=case.language,
        keys=len(keys(case.truth)),
        pressed=len(milliseconds),
        visible=visible,
        suggestions=len(suggestions),
        right=sum(case.truth.startswith(suggestion) for suggestion in suggestions),
        flickers=flickers,
        milliseconds=milliseconds,
    )


def _taken(text: str, rest: str, *, by_word: bool) -> str:
    """Return what of a suggestion is taken with one key; "" for nothing."""
    if rest.startswith(text):
        return text
    word = first_word(text) or ""
    return word if by_word and len(word) > 1 and word == first_word(rest) else ""
