"""What somebody types and takes, with a server that suggests what the test says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from suggesting_server import SuggestingServer

from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.editor import Editor
from dllm_lsp.evaluation.typist import Typed, keys, type_out
from dllm_lsp.text.document import Position
from dllm_lsp.text.snapshot import Snapshot

BEFORE, AFTER = "def f(x):\n    y = 1", "\n\nprint(f(2))\n"
TRUTH = "\n    total = x + y\n    return total"


async def typed(suggestions: Mapping[str, str], *, by_word: bool = False, truth: str = TRUTH) -> Typed:
    """Type the truth; behind a line that reads as a key of `suggestions`, its value is suggested."""

    def text(snapshot: Snapshot) -> str:
        return suggestions.get(snapshot.lines[snapshot.line][: snapshot.column].lstrip(), "")

    server = SuggestingServer(text)
    editor = Editor(server, "file:///a.py", "python", BEFORE + AFTER, Position(1, 9))
    found = await type_out(editor, Case("a.py:2:9", "typed", BEFORE, truth, AFTER), by_word=by_word)
    [document] = server.documents.values()
    assert "".join(document.lines) == BEFORE + truth + AFTER
    assert server.asked == found.pressed == len(found.milliseconds)
    editor.close()
    assert not server.documents
    return found


def test_a_line_break_is_one_key_with_its_indentation() -> None:
    assert keys("\n\n  a = 1") == ["\n", "\n  ", "a", " ", "=", " ", "1"]


async def test_who_is_shown_nothing_presses_every_key() -> None:
    found = await typed({})
    assert (found.keys, found.pressed) == (27, 27)
    assert (found.visible, found.suggestions, found.right, found.flickers) == (0, 0, 0, 0)
    assert (found.name, found.language) == ("a.py:2:9", "python")


async def test_what_is_right_costs_one_key() -> None:
    found = await typed({"to": "tal = x + y"})
    assert found.pressed == found.keys - len("tal = x + y") + 1
    assert (found.visible, found.suggestions, found.right) == (1, 1, 1)


async def test_several_lines_are_taken_at_once() -> None:
    found = await typed({"total = x +": " y\n    return total"})
    assert found.pressed == len(keys("\n    total = x +")) + 1


@pytest.mark.parametrize("wrong", ["tal = x * y", "tally", "tal = x + y\n    print(y)"])
async def test_what_is_wrong_is_passed_over(wrong: str) -> None:
    found = await typed({"to": wrong})
    assert (found.keys, found.pressed) == (27, 27)
    assert (found.visible, found.suggestions, found.right) == (1, 1, 0)


async def test_what_is_left_of_a_suggestion_is_no_other_one() -> None:
    found = await typed({"to": "tal = x * y", "tot": "al = x * y", "total": " = x * y"})
    assert (found.visible, found.suggestions, found.right, found.flickers) == (3, 1, 0, 0)


async def test_flicker_is_another_text_on_the_way_that_the_first_one_goes() -> None:
    found = await typed({"to": "tal = x * y", "tot": "ally", "tota": "lly", "total": " = x * y"})
    assert (found.visible, found.suggestions, found.flickers) == (4, 2, 2)


async def test_what_vanishes_or_is_left_does_not_flicker() -> None:
    found = await typed({"to": "tal = x * y", "total": "ize", "total =": "= y"})
    assert (found.suggestions, found.flickers) == (3, 0)


async def test_words_are_taken_from_what_begins_right() -> None:
    suggestions = {"total =": " x + z", "total = x": " + z", "total = x +": " z"}
    assert (await typed(suggestions)).pressed == 27
    found = await typed(suggestions, by_word=True)
    assert found.pressed == 27 - 2, "' x' and ' +'"
    assert (found.suggestions, found.right) == (1, 0)


@pytest.mark.parametrize("suggestions", [{"to": "tally = 1"}, {"to": "t = 1"}, {"total = x + ": "y)"}])
async def test_half_a_word_is_none_and_a_letter_is_typed_as_fast(suggestions: dict[str, str]) -> None:
    assert (await typed(suggestions, by_word=True)).pressed == 27
