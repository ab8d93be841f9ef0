"""Shows in the client that a model is being loaded, as work-done progress."""

from __future__ import annotations

import asyncio
import itertools

from dllm_lsp.server.jsonrpc import Connection
from dllm_lsp.worker.messages import Status

TITLE = "dllm-lsp"


class LoadingProgress:
    """One progress bar for each time that the engine starts or loads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._status = Status(state="ready")
        self._changed = asyncio.Event()
        self._shown = False
        self._tokens = itertools.count()

    def update(self, status: Status) -> None:
        """Take the engine's newest status."""
        self._status = status
        self._changed.set()
        if self._busy and not self._shown:
            self._shown = True
            self._connection.run(self._show())

    @property
    def _busy(self) -> bool:
        return self._status.state in ("starting", "loading")

    async def _show(self) -> None:
        token = f"dllm-lsp/loading/{next(self._tokens)}"
        await self._connection.request("window/workDoneProgress/create", {"token": token})
        self._notify(token, {"kind": "begin", "title": TITLE, "message": self._message()})
        while self._busy:
            self._notify(token, {"kind": "report", "message": self._message()})
            self._changed.clear()
            await self._changed.wait()
        self._notify(token, {"kind": "end", "message": self._message()})
        self._shown = False

    def _message(self) -> str:
        return self._status.detail or self._status.state

    def _notify(self, token: str, value: dict[str, str]) -> None:
        self._connection.notify("$/progress", {"token": token, "value": value})
