"""The engine as the editor's half sees it: a status, and holes that get filled or do not.

Connects in the background, and again with growing delays when the engine dies; tells the user once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from dllm_lsp.client.link import Link, OnDraft
from dllm_lsp.client.supervisor import COMMAND, Supervisor
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.settings import Settings
from dllm_lsp.wire.errors import EngineError, LoadError
from dllm_lsp.wire.log import log_path
from dllm_lsp.wire.messages import Status

FIRST_DELAY = 0.5  # seconds
LONGEST_DELAY = 30.0
STEADY_SECONDS = 60.0  # of service, after which an engine that dies is news again


class EngineClient:
    """One editor's way to the engine; `on_status` hears every change, `on_notice` what a user should read.

    `adapter` is the fingerprint of one that was fine-tuned for what the editor has open; the engine is the same.

    Every method belongs to the event loop on which `start` was called.
    """

    def __init__(
        self,
        settings: Settings,
        on_status: Callable[[Status], None],
        on_notice: Callable[[str], None],
        command: Sequence[str] = COMMAND,
        *,
        adapter: str | None = None,
    ) -> None:
        self.status = Status(state="starting")
        self._silence = settings.engine.silence
        self._adapter = adapter
        self._supervisor = Supervisor(settings, command)
        self._on_status = on_status
        self._on_notice = on_notice
        self._link: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._told: set[str] = set()
        self._delay = FIRST_DELAY

    async def start(self) -> None:
        """Begin to connect, in the background. Never raises."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_connected())

    async def wait_ready(self, timeout: float) -> Status:
        """Wait until the engine is ready or has failed, at most `timeout` seconds, and return its status."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._settled.wait()
        return self.status

    async def infill(
        self, document: str, method: str, hole: Hole, limits: Limits, on_draft: OnDraft | None = None
    ) -> Infilled | None:
        """Fill a hole; None when not ready, failed, or superseded.

        A newer request for the same document and method supersedes an older one. Cancelling the awaiting task
        cancels the request. `on_draft` hears every denoising step.
        """
        if self._link is None or self.status.state != "ready":
            return None
        try:
            return await self._link.infill(document, method, hole, limits, on_draft)
        except ValueError:
            return None  # text that is too long to send, or no text at all

    def read_ahead(self, document: str, hole: Hole) -> None:
        """Have the code around a hole read in idle time, if the engine is ready."""
        if self._link is not None and self.status.state == "ready":
            with suppress(ValueError):  # as in `infill`
                self._link.read_ahead(document, hole)

    def forget(self, document: str) -> None:
        """Tell the engine that nothing more will be asked of a document for now."""
        if self._link is not None:
            self._link.forget(document)

    async def restart(self) -> None:
        """End the engine, for whoever else uses it too, and start it again."""
        await self.close()
        self._set_status(Status(state="starting"))
        try:
            await self._supervisor.end()
        except (OSError, EngineError) as error:
            self._on_notice(str(error))
        self._told.clear()
        self._delay = FIRST_DELAY
        await self.start()

    async def close(self) -> None:
        """Leave the engine; requests in flight are answered None."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            try:
                await self._use_engine()
            except LoadError as error:
                self._tell(str(error))
                return
            except (OSError, EngineError) as error:
                self._set_status(Status(state="failed", detail=str(error)))
                self._tell(str(error))
            if loop.time() - begun > STEADY_SECONDS:
                self._told.clear()
                self._delay = FIRST_DELAY
            await asyncio.sleep(self._delay)
            self._delay = min(2 * self._delay, LONGEST_DELAY)

    async def _use_engine(self) -> None:
        """Connect, and serve until the engine is gone or silent. Raises LoadError if it has no model."""
        channel = await self._supervisor.connect()
        self._link = link = Link(channel, self._silence, self._set_status, self._tell, self._adapter)
        try:
            await link.listen()
        finally:
            self._link = None
        if link.state == "failed":
            raise LoadError(self.status.detail)
        self._set_status(Status(state="starting", detail="the engine is being started again"))
        self._tell(f"The engine stopped and is being started again. Its log: {log_path()}")
        if link.was_silent:
            await self._supervisor.end()

    def _set_status(self, status: Status) -> None:
        if status == self.status:
            return
        self.status = status
        if status.state in ("ready", "failed"):
            self._settled.set()
        else:
            self._settled.clear()
        self._on_status(status)

    def _tell(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._on_notice(message)
