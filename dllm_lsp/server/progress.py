"""Shows in the client that a model is being loaded, as work-done progress."""

from __future__ import annotations

import asyncio
import itertools

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.progress import Progress

from dllm_lsp.wire.messages import Status

TITLE = "dllm-lsp"


class LoadingProgress:
    """One progress bar for each time that the engine starts or loads."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._status = Status(state="ready")
        self._changed = asyncio.Event()
        self._bar: asyncio.Task[None] | None = None
        self._tokens = itertools.count()

    def update(self, status: Status) -> None:
        """Take the engine's newest status."""
        self._status = status
        self._changed.set()
        if self._busy and (self._bar is None or self._bar.done()):
            self._bar = asyncio.create_task(self._show())

    def close(self) -> None:
        """Show no more."""
        if self._bar is not None:
            self._bar.cancel()

    @property
    def _busy(self) -> bool:
        return self._status.state in ("starting", "loading")

    @property
    def _message(self) -> str:
        return self._status.detail or self._status.state

    async def _show(self) -> None:
        token = f"dllm-lsp/loading/{next(self._tokens)}"
        try:
            await self._progress.create_async(token)
        except JsonRpcException:  # a client that refuses shows nothing
            return
        if not self._busy:
            return
        self._progress.begin(token, types.WorkDoneProgressBegin(title=TITLE, message=self._message))
        while True:
            self._changed.clear()
            await self._changed.wait()
            if not self._busy:
                break
            self._progress.report(token, types.WorkDoneProgressReport(message=self._message))
        self._progress.end(token, types.WorkDoneProgressEnd(message=self._message))
