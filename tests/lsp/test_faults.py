"""What people complain about elsewhere, with the real model, through the real processes."""

from __future__ import annotations

import re

import pytest
from lsp_client import Editor, StartEditor
from lsprotocol import types

OPTIONS = {"engine": {"linger": 5}, "suggest": {"confidence": 0, "milliseconds": 5000}}
BOX = """class Box:
    def __init__(self, width, height, depth):
        self.width = width
        self.height = height
        self.depth = depth

    def volume(self):
        if self.depth is None:
            return None
        return self.width * self.height * self.depth
"""


async def asked(editor: Editor, marked: str, uri: str, language: str = "python") -> str | None:
    """Return what is suggested at "|"."""
    before, after = marked.split("|")
    item = types.TextDocumentItem(uri, language, 1, before + after)
    editor.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    line, column = before.count("\n"), len(before.rpartition("\n")[2])
    answer = await editor.complete(line, column, uri)
    return answer[0] if answer else None


@pytest.fixture
async def editor(start_editor: StartEditor) -> Editor:
    editor = await start_editor(encodings=["utf-16"], options=OPTIONS)
    assert (await editor.settled())["state"] == "ready"
    return editor


async def test_nothing_inside_a_word_changes_the_word(editor: Editor) -> None:
    for number, match in enumerate(re.finditer(r"\w{4,}", BOX)):
        cut = match.start() + 2
        suggested = await asked(editor, f"{BOX[:cut]}|{BOX[cut:]}", f"file:///word{number}.py")
        assert suggested is None or not suggested.endswith(BOX[cut : match.end()])


async def test_an_auto_closed_bracket_silences_nothing(editor: Editor) -> None:
    headers = [
        "def area(self, |)",
        "for index in range(|)",
        "if isinstance(box, |)",
        "class Cube(|)",
        "with open(|)",
    ]
    suggested = [
        await asked(editor, f"{BOX}\n\n{header}\n", f"file:///header{number}.py")
        for number, header in enumerate(headers)
    ]
    assert sum(text is not None for text in suggested) >= 2


async def test_tabs_are_as_good_as_spaces(editor: Editor) -> None:
    shown = 0
    lines = BOX.splitlines(keepends=True)
    for number, line in enumerate(lines[2:], start=2):
        if not line.startswith("    "):
            continue
        marked = "".join([*lines[:number], "|\n", *lines[number + 1 :]])
        with_spaces = await asked(editor, marked, f"file:///spaces{number}.py")
        with_tabs = await asked(editor, marked.replace("    ", "\t"), f"file:///tabs{number}.py")
        assert (with_spaces or "").replace("    ", "\t") == (with_tabs or "")
        shown += with_tabs is not None
    assert shown


async def test_languages_that_the_model_does_not_know_are_left_alone(editor: Editor) -> None:
    docstring = '    """Return it.\n\n    For all.\n|\n    return 1\n'
    assert await asked(editor, f"def f():\n{docstring}", "file:///doc.py") is not None
    assert await asked(editor, f"def f():\n{docstring}", "file:///doc.go", "go") is None
