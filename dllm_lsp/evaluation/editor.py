"""Somebody's editor: a document that is open in a server, and a cursor in it. Waits for every answer."""

from __future__ import annotations

import time
from typing import Any, NamedTuple, Protocol

from dllm_lsp.text.document import Position


class Shown(NamedTuple):
    """What is visible behind the cursor, "" for nothing, and the milliseconds until the server had answered."""

    text: str
    milliseconds: float


class Server(Protocol):
    """Who answers: a language server whose columns are code points."""

    async def request(self, method: str, params: object) -> Any:
        """Return the result."""
        ...

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        ...


class Editor:
    """Opens a document with line feeds for line ends; `close` it when done."""

    def __init__(self, server: Server, uri: str, language: str, text: str, cursor: Position) -> None:
        self._server, self._uri, self._cursor = server, uri, cursor
        self._version = 0
        item = {"uri": uri, "languageId": language, "version": 0, "text": text}
        server.notify("textDocument/didOpen", {"textDocument": item})

    async def type(self, text: str) -> Shown:
        """Insert a text at the cursor, behind which the cursor then stands, and ask how to go on."""
        began = time.perf_counter()
        self._replace(self._cursor, text)
        self._cursor = moved(self._cursor, text)
        answer = await self._server.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self._uri},
                "position": _position(self._cursor),
                "context": {"triggerKind": 2},
            },
        )
        milliseconds = 1000 * (time.perf_counter() - began)
        items = answer["items"] if answer else []
        return Shown(items[0]["insertText"] if items else "", milliseconds)

    def erase(self) -> None:
        """Delete the character before the cursor, which stands in the same line."""
        end = self._cursor
        self._cursor = Position(end.line, end.character - 1)
        self._replace(end, "")

    def close(self) -> None:
        """Close the document."""
        self._server.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})

    def _replace(self, end: Position, text: str) -> None:
        self._version += 1
        change = {"range": {"start": _position(self._cursor), "end": _position(end)}, "text": text}
        document = {"uri": self._uri, "version": self._version}
        params = {"textDocument": document, "contentChanges": [change]}
        self._server.notify("textDocument/didChange", params)


def moved(cursor: Position, text: str) -> Position:
    """Return where the cursor stands behind a text that is inserted at it; columns are code points."""
    breaks = text.count("\n")
    if not breaks:
        return Position(cursor.line, cursor.character + len(text))
    return Position(cursor.line + breaks, len(text) - text.rindex("\n") - 1)


def _position(position: Position) -> dict[str, int]:
    return {"line": position.line, "character": position.character}
