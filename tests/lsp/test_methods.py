"""Every method of the protocol that the server knows, as a client's library sends it."""

import asyncio
from typing import Any

import pytest
from lsp_client import PATIENCE, Editor, StartEditor
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from dllm_lsp import __version__

URI = "file:///work/app.py"


async def until_message(editor: Editor) -> str:
    async with asyncio.timeout(PATIENCE):
        while not editor.client.messages:
            await asyncio.sleep(0.01)
    return editor.client.messages[0].message


@pytest.mark.parametrize(
    ("client", "encoding"), [("visual-studio-code", "utf-16"), ("neovim", "utf-8"), ("emacs", "utf-32")]
)
async def test_initialize(start_editor: StartEditor, client: str, encoding: str) -> None:
    result = (await start_editor(client)).result
    assert result.server_info == types.ServerInfo("dllm-lsp", __version__)
    assert result.capabilities.position_encoding == encoding
    sync = result.capabilities.text_document_sync
    assert sync == types.TextDocumentSyncOptions(True, types.TextDocumentSyncKind.Incremental, save=True)
    assert result.capabilities.inline_completion_provider == types.InlineCompletionOptions()
    assert result.capabilities.execute_command_provider
    assert result.capabilities.execute_command_provider.commands == (
        "dllm.status",
        "dllm.restart",
        "dllm.pause",
        "dllm.resume",
    )


async def test_shutdown_and_exit(start_editor: StartEditor) -> None:
    editor = await start_editor()
    await editor.client.shutdown_session()
    assert editor.client._server
    assert await asyncio.wait_for(editor.client._server.wait(), PATIENCE) == 0


async def test_documents_are_taken_without_a_word(start_editor: StartEditor) -> None:
    editor = await start_editor()
    document = types.TextDocumentIdentifier(URI)
    editor.open("value = \n", URI)
    editor.change([types.TextDocumentContentChangeWholeDocument("other = \n")], URI, 2)
    here = types.Range(types.Position(0, 8), types.Position(0, 8))
    editor.change([types.TextDocumentContentChangePartial(here, "1")], URI, 3)
    editor.client.text_document_did_save(types.DidSaveTextDocumentParams(document))
    editor.close(URI)
    editor.change([types.TextDocumentContentChangeWholeDocument("")], URI, 4)
    assert await editor.complete(0, 0, URI) is None
    assert editor.client.messages == []


async def test_execute_command(start_editor: StartEditor) -> None:
    editor = await start_editor()
    assert (await editor.status())["state"] in ("starting", "loading", "ready", "failed")
    with pytest.raises(JsonRpcException, match=r"'dllm\.nothing'"):
        await editor.execute("dllm.nothing")


@pytest.mark.parametrize(
    "settings",
    [
        {"dllm-lsp": {"suggest": {"confidence": "high"}}},
        {"suggest": {"confidence": "high"}},
        {"suggest.confidence": "high"},
    ],
)
async def test_did_change_configuration(start_editor: StartEditor, settings: dict[str, Any]) -> None:
    editor = await start_editor()
    params = types.DidChangeConfigurationParams(settings)
    editor.client.workspace_did_change_configuration(params)
    message = await until_message(editor)
    assert message.startswith('The setting "suggest.confidence" is "high", but must be a number from 0 to 1')


async def test_a_model_that_is_not_there_is_said_once(start_editor: StartEditor) -> None:
    editor = await start_editor(options={"model": "/nowhere/at/all", "engine": {"linger": 1}})
    assert (await editor.settled())["state"] == "failed"
    assert "/nowhere/at/all" in await until_message(editor)
    editor.open("value = ", URI)
    assert await editor.complete(0, 8, URI) is None
    assert len(editor.client.messages) == 1


@pytest.mark.own_engine
async def test_a_cursor_that_waits_for_the_model_gets_a_suggestion(start_editor: StartEditor) -> None:
    editor = await start_editor()
    editor.open("for number in range(10):\n    print(num", URI)
    suggestion = await editor.complete(1, 13, URI)
    assert (await editor.status())["state"] == "ready"
    assert suggestion is not None


@pytest.mark.own_engine
async def test_loading_is_shown_as_progress(start_editor: StartEditor) -> None:
    editor = await start_editor()
    await editor.settled()
    async with asyncio.timeout(PATIENCE):
        while not (bars := list(editor.client.progress_reports.values())) or len(bars[0]) < 2:
            await asyncio.sleep(0.01)
    kinds = [type(report) for report in bars[0]]
    assert kinds[0] is types.WorkDoneProgressBegin
    assert kinds[-1] is types.WorkDoneProgressEnd
