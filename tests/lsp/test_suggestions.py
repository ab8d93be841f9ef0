"""Suggestions of the real model, through the real engine."""

import asyncio
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from lsp_client import OPTIONS, PATIENCE, QUICKLY, Editor, StartEditor
from lsprotocol import types
from pygls.exceptions import JsonRpcRequestCancelled
from raw_server import RawServer

URI = "file:///work/app.py"
STATUS = {"command": "dllm.status"}
# Places where a model of Python has something to say; the cursor is at "|".
PLACES = [
    "import os\nimport sys\n\n\ndef main():\n    print(|\n",
    "def add(left, right):\n    return |\n\n\nprint(add(1, 2))\n",
    "class Point:\n    def __init__(self, x, y):\n        self.x = |\n        self.y = y\n",
    "for index in range(|:\n    print(index)\n",
    "# é😀e\u0301\nnames = ['é😀', 'b']\nfor name in names:\n    print(|\n",
]


async def ready(
    start_editor: StartEditor, encoding: str = "utf-16", options: dict[str, Any] = OPTIONS
) -> Editor:
    editor = await start_editor(encodings=[encoding], options=options)
    status = await editor.settled()
    assert status["state"] == "ready", status["detail"]
    return editor


def cursor(before: str, encoding: str) -> tuple[int, int]:
    line = before.rpartition("\n")[2]
    width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    return before.count("\n"), len(line.encode(f"{encoding}-le" if width > 1 else encoding)) // width


async def test_ghost_text_is_inserted_at_the_cursor(start_editor: StartEditor) -> None:
    editor = await ready(start_editor)
    shown = 0
    for number, place in enumerate(PLACES):
        before, _, after = place.partition("|")
        uri = f"untitled:{number}"
        editor.open(before + after, uri)
        at = types.Position(*cursor(before, "utf-16"))
        answer = await editor.complete(at.line, at.character, uri)
        if answer is not None:
            shown += 1
            assert answer[0].strip()
            assert answer[1] == types.Range(at, at)
    assert shown >= 2


async def test_cells_of_a_notebook_see_each_other(start_editor: StartEditor) -> None:
    editor = await ready(start_editor)
    uris = [f"vscode-notebook-cell:/work/rows.ipynb#{number}" for number in range(2)]
    texts = ["def normalize_rows(rows):\n    return [row.strip() for row in rows]\n", "print(normali)\n"]
    cells = [types.NotebookCell(types.NotebookCellKind.Code, uri) for uri in uris]
    items = [types.TextDocumentItem(uri, "python", 1, text) for uri, text in zip(uris, texts, strict=True)]
    notebook = types.NotebookDocument("file:///work/rows.ipynb", "jupyter-notebook", 1, cells)
    editor.client.notebook_document_did_open(types.DidOpenNotebookDocumentParams(notebook, items))
    answer = await editor.complete(0, 13, uris[1])
    assert answer is not None
    assert answer[0].startswith("ze_rows")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_an_edited_document_is_completed_like_one_opened_so(
    start_editor: StartEditor, encoding: str
) -> None:
    editor = await ready(start_editor, encoding)
    shown = 0
    for number, place in enumerate(PLACES):
        before, _, after = place.partition("|")
        opened, edited = f"file:///work/opened{number}.py", f"file:///work/edited{number}.py"
        line, character = cursor(before, encoding)
        editor.open(before + after, opened)
        expected = await editor.complete(line, character, opened)
        *above, typed = before.splitlines(keepends=True)
        editor.open("".join(above) + "\r\n" + after, edited)
        start = types.Position(len(above), 0)
        for version, text in enumerate(("?", typed), start=2):
            end = types.Position(len(above), version - 2)
            editor.change(
                [types.TextDocumentContentChangePartial(types.Range(start, end), text)], edited, version
            )
        over = types.Range(types.Position(line, character), types.Position(line + 1, 0))
        editor.change([types.TextDocumentContentChangePartial(over, "")], edited, 4)
        assert await editor.complete(line, character, edited) == expected
        shown += expected is not None
    assert shown >= 2


async def test_a_cancelled_request_is_answered_so(start_editor: StartEditor) -> None:
    editor = await ready(start_editor)
    editor.open("value = ", URI)
    protocol = editor.client.protocol
    asked = protocol.send_request(types.TEXT_DOCUMENT_INLINE_COMPLETION, params(0, 8), msg_id="mine")
    editor.client.cancel_request(types.CancelParams("mine"))
    with pytest.raises(JsonRpcRequestCancelled):
        await asyncio.wait_for(asyncio.wrap_future(asked), PATIENCE)


async def test_a_newer_request_supersedes_the_older(start_editor: StartEditor) -> None:
    editor = await ready(start_editor)
    editor.open("def add(left, right):\n    return \n\n\nprint(", URI)
    places = [(1, 11), (4, 6)] * 5
    asked = [
        editor.client.text_document_inline_completion_async(params(line, character))
        for line, character in places
    ]
    answers = await asyncio.wait_for(asyncio.gather(*asked), PATIENCE)
    assert answers[:-1] == [None] * (len(places) - 1)
    assert await editor.complete(4, 6, URI) == await editor.complete(4, 6, URI)


def test_a_request_for_another_version_gets_null(server: RawServer) -> None:
    server.initialize(initializationOptions=OPTIONS)
    server.send({"method": "initialized", "params": {}})
    deadline = time.monotonic() + PATIENCE
    while server.request("status", "workspace/executeCommand", STATUS)["result"]["state"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before, _, after = PLACES[1].partition("|")
    document = {"uri": URI, "languageId": "python", "version": 7, "text": before + after}
    server.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
    line, character = cursor(before, "utf-16")
    where = {"position": {"line": line, "character": character}, "context": {"triggerKind": 2}}
    results = []
    for version in (6, 8, 7):
        params = {"textDocument": {"uri": URI, "version": version}, **where}
        results.append(server.request(version, "textDocument/inlineCompletion", params)["result"])
    assert results[:2] == [None, None]
    assert results[2] is not None


async def test_every_request_is_answered(start_editor: StartEditor) -> None:
    editor = await ready(start_editor, options=QUICKLY)
    text = Path(__file__).read_text()
    editor.open(text, URI)
    lines = text.splitlines()
    for line in range(0, len(lines), 5):
        for character in {0, len(lines[line]) // 2, len(lines[line])}:
            await editor.complete(line, character, URI)
    assert editor.client.messages == []


@pytest.mark.own_engine
async def test_a_killed_engine_is_started_again(
    start_editor: StartEditor, server_environment: dict[str, str]
) -> None:
    editor = await ready(start_editor)
    editor.open("value = ", URI)
    engine = await only_engine(server_environment)
    asked = editor.client.text_document_inline_completion_async(params(0, 8))
    engine.kill()
    await asyncio.wait_for(asked, PATIENCE)
    async with asyncio.timeout(PATIENCE):
        while not editor.client.messages:
            await asyncio.sleep(0.01)
    assert (await editor.settled())["state"] == "ready"
    assert (await only_engine(server_environment)).pid != engine.pid
    await editor.complete(0, 8, URI)
    assert len(editor.client.messages) == 1


@pytest.mark.own_engine
async def test_servers_that_start_together_share_an_engine_that_ends_behind_them(
    start_editor: StartEditor, server_environment: dict[str, str]
) -> None:
    editors = await asyncio.gather(*(ready(start_editor) for _ in range(2)))
    engine = await only_engine(server_environment)
    for editor in editors:
        assert editor.client._server
        editor.client._server.kill()
    async with asyncio.timeout(PATIENCE):
        while engine.is_running():
            await asyncio.sleep(0.05)


def params(line: int, character: int) -> types.InlineCompletionParams:
    return types.InlineCompletionParams(
        context=types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
        text_document=types.TextDocumentIdentifier(URI),
        position=types.Position(line, character),
    )


async def only_engine(environment: dict[str, str]) -> psutil.Process:
    """Return the engine's process, once any that was killed is gone."""
    async with asyncio.timeout(PATIENCE):
        while True:
            files = Path(environment["XDG_RUNTIME_DIR"]).rglob("*.pid")
            alive = [pid for pid in (int(file.read_text()) for file in files) if psutil.pid_exists(pid)]
            if len(alive) == 1:
                return psutil.Process(alive[0])
            await asyncio.sleep(0.05)
