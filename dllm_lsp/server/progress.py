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
        kind = "begin"
        while self._busy:
            self._notify(token, kind)
            kind = "report"
            self._changed.clear()
            await self._changed.wait()
        if kind == "report":
            self._notify(token, "end")
        self._shown = False

    def _notify(self, token: str, kind: str) -> None:
        value = {"kind": kind, "message": self._status.detail or self._status.state}
        if kind == "begin":
            value["title"] = TITLE
        self._connection.notify("$/progress", {"token": token, "value": value})
