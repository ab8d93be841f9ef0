"""The other sides of a session in the test's own process: a client, and an engine that does as it is told."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled, Piece
from dllm_lsp.server.features import new_session
from dllm_lsp.settings import Settings
from dllm_lsp.wire.messages import Status

PATIENCE = 10.0  # seconds: how long a test waits for what must happen
READY = Status(state="ready", model="fake", before=1000, after=1000)
URI = "file:///work/app.py"


class FakeEngine:
    """Writes `text` into every hole, after `gate` is open; fails when there is none."""

    text: str | None = "compute(1)"
    engines: list[FakeEngine]

    def __init__(
        self,
        settings: Settings,
        on_status: Callable[[Status], None],
        on_notice: Callable[[str], None],
        adapter: str | None = None,
    ) -> None:
        self.settings = settings
        self.adapter = adapter
        self.on_status = on_status
        self.on_notice = on_notice
        self.status = Status(state="starting")
        self.holes: list[Hole] = []
        self.forgotten: list[str] = []
        self.ahead: list[Hole] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0
        self.restarts = 0
        self.closed = False
        self.engines.append(self)

    async def start(self) -> None:
        self.become(READY)

    def become(self, status: Status) -> None:
        self.status = status
        self.on_status(status)

    async def infill(
        self, document: str, method: str, hole: Hole, limits: Limits, on_draft: Any
    ) -> Infilled | None:
        self.holes.append(hole)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.text is None:
            return None
        pieces = (Piece(self.text, 1.0),)
        return Infilled(pieces=pieces, end=1.0, steps=1, passes=1, encoded=0, milliseconds=1.0)

    def read_ahead(self, document: str, hole: Hole) -> None:
        self.ahead.append(hole)

    def forget(self, document: str) -> None:
        self.forgotten.append(document)

    async def restart(self) -> None:
        self.restarts += 1

    async def close(self) -> None:
        self.closed = True


class Client:
    """The other side of a session."""

    def __init__(self, settings: Settings) -> None:
        self.reader = asyncio.StreamReader()
        self.received: list[dict[str, Any]] = []
        self.configuration: Any = None
        self.session = new_session(settings)
        self.serving = asyncio.ensure_future(self.session.serve(self.reader, self._take))
        self._ids = 0
        self._news = asyncio.Event()

    def _take(self, data: bytes) -> None:
        header, _, body = data.partition(b"\r\n\r\n")
        length = re.fullmatch(rb"Content-Length: (\d+)", header)
        assert length
        assert int(length[1]) == len(body)
        message = json.loads(body)
        self.received.append(message)
        self._news.set()
        if message.get("method") == "window/workDoneProgress/create":
            self.send({"id": message["id"], "result": None})
        if message.get("method") == "workspace/configuration":
            self.send({"id": message["id"], "result": self.configuration})

    def send(self, message: dict[str, Any]) -> None:
        self.send_body(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def send_body(self, body: bytes) -> None:
        """Send what may be no message."""
        self.reader.feed_data(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"method": method, "params": params})

    def ask(self, method: str, params: Any = None) -> int:
        """Send a request and return its id."""
        self._ids += 1
        self.send({"id": self._ids, "method": method, "params": params})
        return self._ids

    async def answer(self, id: int) -> dict[str, Any]:
        """Wait for the answer to a request."""
        return await self.message(lambda message: message.get("id") == id and "method" not in message)

    async def message(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for the first message, received already or to come, that is wanted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for message in self.received:
                    if wanted(message):
                        return message
                self._news.clear()
                await self._news.wait()

    async def request(self, method: str, params: Any = None) -> Any:
        """Send a request and return its result."""
        answer = await self.answer(self.ask(method, params))
        assert "error" not in answer, answer
        return answer["result"]

    async def error(self, method: str, params: Any = None) -> dict[str, Any]:
        """Send a request and return the error that it is answered with."""
        error = (await self.answer(self.ask(method, params)))["error"]
        assert isinstance(error, dict)
        return error

    async def begin(
        self, capabilities: dict[str, Any] | None = None, options: Any = None, root: str | None = None
    ) -> dict[str, Any]:
        """Initialize, and wait until the engine is in use."""
        params = {
            "processId": None,
            "rootUri": root,
            "capabilities": capabilities or {},
            "initializationOptions": options,
        }
        result = await self.request("initialize", params)
        self.notify("initialized", {})
        await until(lambda: self.session.backend.autocomplete("python") is not None)
        assert isinstance(result, dict)
        return result

    @property
    def warnings(self) -> list[str]:
        messages = [message for message in self.received if message.get("method") == "window/showMessage"]
        return [message["params"]["message"] for message in messages]

    def open(self, text: str, uri: str = URI, version: int = 1) -> None:
        item = {"uri": uri, "languageId": "python", "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, changes: list[dict[str, Any]], version: int = 2, uri: str = URI) -> None:
        params = {"textDocument": {"uri": uri, "version": version}, "contentChanges": changes}
        self.notify("textDocument/didChange", params)

    def ask_completion(self, line: int, character: int, uri: str = URI, **more: Any) -> int:
        version = {"version": more.pop("version")} if "version" in more else {}
        params = {
            "textDocument": {"uri": uri, **version},
            "position": {"line": line, "character": character},
            "context": {"triggerKind": 2, **more},
        }
        return self.ask("textDocument/inlineCompletion", params)

    async def complete(self, line: int, character: int, uri: str = URI, **more: Any) -> Any:
        """Return the only item's text and range, [] for an empty list, or None for null."""
        answer = await self.answer(self.ask_completion(line, character, uri, **more))
        assert "error" not in answer, answer
        if answer["result"] is None:
            return None
        if answer["result"]["items"] == []:
            return []
        [item] = answer["result"]["items"]
        start, end = item["range"]["start"], item["range"]["end"]
        span = (start["line"], start["character"], end["line"], end["character"])
        return item["insertText"], span


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the condition; a TimeoutError if it never holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)
