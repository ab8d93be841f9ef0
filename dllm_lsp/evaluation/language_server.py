"""A language server in a process of its own, as an editor starts it: JSON-RPC and how a session begins and ends."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import convert, json

from dllm_lsp.wire.messages import Status

COMMAND = (sys.executable, "-P", "-m", "dllm_lsp", "--stdio")
"""Starts the server of this installation."""

_PATIENCE = 120.0  # seconds for any answer


class ServerError(Exception):
    """The server ended, was silent, or answered with an error."""


class LanguageServer:
    """Requests are sent one at a time; columns are code points."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._last = 0
        self.pid = process.pid

    @classmethod
    @asynccontextmanager
    async def started(
        cls, command: Sequence[str], environment: Mapping[str, str]
    ) -> AsyncIterator[LanguageServer]:
        """Start the process, and end it with the context."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=environment)
        server = cls(process)
        try:
            yield server
            await server.request("shutdown", None)
            server.notify("exit", None)
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def initialize(self, settings: dict[str, Any], folder: Path | None = None) -> None:
        """Open the session with these settings, and with a folder as its workspace."""
        folders = [{"uri": folder.as_uri(), "name": folder.name}] if folder else None
        params = {
            "processId": None,
            "capabilities": {"general": {"positionEncodings": ["utf-32"]}},
            "workspaceFolders": folders,
            "initializationOptions": settings,
        }
        await self.request("initialize", params)

    async def start_engine(self) -> Status:
        """Have the engine started and wait until it has loaded its model; raise ServerError if it cannot."""
        self.notify("initialized", {})
        return await self.wait_ready()

    async def wait_ready(self) -> Status:
        """Wait until the engine has loaded its model; raise ServerError if it cannot."""
        while True:
            told = await self.request("workspace/executeCommand", {"command": "dllm.status"})
            status = convert(told, Status)
            if status.state == "ready":
                return status
            if status.state == "failed":
                raise ServerError(status.detail)
            await asyncio.sleep(0.1)

    async def request(self, method: str, params: object) -> Any:
        """Return the result; raise ServerError if there is none."""
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        try:
            async with asyncio.timeout(_PATIENCE):
                answer = await self._answer()
        except TimeoutError:
            raise ServerError(f"{method} was not answered within {_PATIENCE:.0f} s") from None
        except EOFError:
            raise ServerError("the server ended") from None
        if "error" in answer:
            raise ServerError(f"{method} was answered with {answer['error']}")
        return answer["result"]

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.encode({"jsonrpc": "2.0", **message})
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _answer(self) -> Any:
        """Return the answer to the last request, passing over what the server says of its own accord."""
        assert self._process.stdout is not None
        while True:
            header = await self._process.stdout.readuntil(b"\r\n\r\n")
            length = int(header.lower().partition(b"content-length:")[2].split()[0])
            message = json.decode(await self._process.stdout.readexactly(length))
            if message.get("id") == self._last and "method" not in message:
                return message
