"""A client of pytest-lsp in a session with a server's process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from lsprotocol import types
from pytest_lsp import LanguageClient

PATIENCE = 60.0  # seconds: how long a test waits for what must happen
# One engine for all tests that are not marked `own_engine`; it ends soon after them. It shows whatever it has, after as
# long as it needs for the same text to come out whenever it is asked; or QUICKLY, where the text is of no interest.
OPTIONS = {"engine": {"linger": 5}, "suggest": {"confidence": 0, "milliseconds": 5000}}
QUICKLY = {"engine": {"linger": 5}, "suggest": {"confidence": 0, "milliseconds": 30}}


class Editor:
    """An open session; `result` is what `initialize` was answered with."""

    def __init__(self, client: LanguageClient, result: types.InitializeResult) -> None:
        self.client = client
        self.result = result

    @property
    def running(self) -> bool:
        """Whether the server's process is."""
        server = self.client._server
        return server is not None and server.returncode is None

    async def status(self) -> Any:
        """Return the engine's status."""
        return await self.execute("dllm.status")

    async def settled(self) -> Any:
        """Return the engine's status when it has loaded its model, or failed to."""
        async with asyncio.timeout(PATIENCE):
            while (status := await self.status())["state"] not in ("ready", "failed"):
                await asyncio.sleep(0.05)
        return status

    async def execute(self, command: str) -> Any:
        """Run a command of the server."""
        params = types.ExecuteCommandParams(command=command)
        return await self.client.workspace_execute_command_async(params)

    def open(self, text: str, uri: str, version: int = 1) -> None:
        """Open a document."""
        item = types.TextDocumentItem(uri=uri, language_id="python", version=version, text=text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def change(self, changes: list[types.TextDocumentContentChangeEvent], uri: str, version: int) -> None:
        """Change a document."""
        document = types.VersionedTextDocumentIdentifier(version=version, uri=uri)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, changes))

    def close(self, uri: str) -> None:
        """Close a document."""
        document = types.TextDocumentIdentifier(uri)
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(document))

    async def complete(self, line: int, character: int, uri: str) -> tuple[str, types.Range] | None:
        """Return the text and the range of the only suggestion, or None."""
        params = types.InlineCompletionParams(
            context=types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
            text_document=types.TextDocumentIdentifier(uri),
            position=types.Position(line, character),
        )
        async with asyncio.timeout(PATIENCE):
            result = await self.client.text_document_inline_completion_async(params)
        if result is None:
            return None
        assert isinstance(result, types.InlineCompletionList)
        if not result.items:
            return None
        [item] = result.items
        assert isinstance(item.insert_text, str)
        assert item.range
        return item.insert_text, item.range


StartEditor = Callable[..., Awaitable[Editor]]
