"""What the engine's process does with its clients' messages.

All of it runs on the event loop but `_infill`, which runs on the engine's only thread. Knows no sockets, only
channels; knows of the engine what `Engine` says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from typing import Protocol

from dllm_lsp.host.scheduler import Job, Scheduler
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled
from dllm_lsp.wire.channel import Channel
from dllm_lsp.wire.log import log_path
from dllm_lsp.wire.messages import (
    Cancel,
    Drafted,
    Dropped,
    Failure,
    Filled,
    Infill,
    Ping,
    Pong,
    Status,
    ToClient,
    ToEngine,
)

logger = logging.getLogger(__name__)


Report = Callable[[str], None]
"""Hears in words how far loading is."""


class Engine(Protocol):
    """What the process needs of an engine; `before` and `after` are characters of context it can use."""

    model: str
    device: str
    precision: str
    before: int
    after: int
    snippets: int

    def infill(self, document: str, hole: Hole, limits: Limits) -> Generator[Draft, None, Infilled]:
        """Denoise, yielding after every step; closing the generator cancels."""
        ...


class Host:
    """One engine and those who talk to it; `run` ends `linger` seconds after the last of them has left."""

    def __init__(self, load: Callable[[Report], Engine], linger: float) -> None:
        self._load = load
        self._linger = linger
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "engine")  # loading too: the number of threads is set per thread
        self._scheduler = Scheduler()
        self._status = Status(state="loading")
        self._channels: dict[int, Channel[ToEngine]] = {}
        self._numbers = count(1)
        self._pings: set[int] = set()
        self._has_work = asyncio.Event()
        self._is_done = asyncio.Event()
        self._timer = self._loop.call_later(linger, self._is_done.set)

    async def run(self) -> None:
        """Load the engine and answer requests until there is nobody left."""
        work = asyncio.create_task(self._work())
        done = asyncio.create_task(self._is_done.wait())
        await asyncio.wait((work, done), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()  # it never returns; a defect here ends the process, and a client starts another
        work.cancel()

    async def serve(self, channel: Channel[ToEngine]) -> None:
        """Serve one client until it leaves or sends something else than messages."""
        client = next(self._numbers)
        self._timer.cancel()
        self._channels[client] = channel
        try:
            channel.send(self._status)
            while True:
                self._receive(client, await channel.receive())
        except ConnectionError as error:
            logger.info("client %d: %s", client, error)
        finally:
            channel.abort()
            del self._channels[client]
            self._pings.discard(client)
            self._scheduler.leave(client)
            if not self._channels:
                self._timer = self._loop.call_later(self._linger, self._is_done.set)

    def _receive(self, client: int, message: ToEngine) -> None:
        match message:
            case Infill():
                self._submit(Job(client, message))
            case Cancel():
                job = self._scheduler.cancel(client, message.id)
                if job is not None:
                    self._send(client, Dropped(message.id, "cancelled"))
            case Ping():
                self._pings.add(client)
                if self._scheduler.running is None:
                    self._answer_pings()

    def _submit(self, job: Job) -> None:
        if self._scheduler.is_full(job.client):
            self._send(job.client, Failure(job.request.id, "Too many requests wait for the engine."))
            return
        older = self._scheduler.submit(job)
        if older is not None:
            self._send(older.client, Dropped(older.request.id, "superseded"))
        self._has_work.set()

    async def _work(self) -> None:
        engine = await self._loaded()
        while True:
            job = await self._next()
            if engine is None:
                answer: ToClient = Failure(job.request.id, self._status.detail)
            else:
                answer = await self._loop.run_in_executor(self._thread, self._infill, engine, job)
            self._scheduler.finish()
            self._send(job.client, answer)
            self._answer_pings()

    async def _loaded(self) -> Engine | None:
        """Load the engine and tell everybody how that went."""
        try:
            engine = await self._loop.run_in_executor(self._thread, self._load, self._report_loading)
        except Exception as error:
            logger.exception("the engine cannot be loaded")
            self._announce(Status(state="failed", detail=_explain(error)))
            return None
        self._announce(
            Status(
                state="ready",
                model=engine.model,
                device=engine.device,
                precision=engine.precision,
                before=engine.before,
                after=engine.after,
                snippets=engine.snippets,
            )
        )
        return engine

    def _report_loading(self, detail: str) -> None:
        """Tell everybody, from any thread, how far the engine has come."""
        self._loop.call_soon_threadsafe(self._announce_loading, detail)

    def _announce_loading(self, detail: str) -> None:
        if self._status.state == "loading":  # what is told late is out of date
            self._announce(Status(state="loading", detail=detail))

    async def _next(self) -> Job:
        while (job := self._scheduler.take()) is None:
            self._has_work.clear()
            await self._has_work.wait()
        return job

    def _infill(self, engine: Engine, job: Job) -> Filled | Dropped | Failure:
        """Run one job on the engine's thread; nothing that it raises goes further than its own client."""
        request = job.request
        try:
            with closing(engine.infill(request.document, request.hole, request.limits)) as steps:
                infilled = self._denoise(steps, job)
            if job.dropped is not None:
                return Dropped(request.id, job.dropped)
            assert infilled is not None, "only a dropped job has none"
            return Filled(request.id, infilled)
        except Exception as error:
            logger.exception("a request failed")
            return Failure(request.id, _explain(error))

    def _denoise(self, steps: Generator[Draft, None, Infilled], job: Job) -> Infilled | None:
        """Return the filled hole, or None as soon as the job is dropped."""
        while job.dropped is None:
            try:
                draft = next(steps)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            if job.request.drafts or self._pings:
                self._loop.call_soon_threadsafe(self._report, job, draft)
        return None

    def _report(self, job: Job, draft: Draft) -> None:
        """Pass a denoising step on, unless its reader is behind."""
        channel = self._channels.get(job.client)
        if job.request.drafts and channel is not None and not channel.is_crowded:
            channel.send(Drafted(job.request.id, draft))
        self._answer_pings()

    def _answer_pings(self) -> None:
        for client in self._pings:
            self._send(client, Pong())
        self._pings.clear()

    def _announce(self, status: Status) -> None:
        self._status = status
        for client in self._channels:
            self._send(client, status)

    def _send(self, client: int, message: ToClient) -> None:
        channel = self._channels.get(client)
        if channel is not None:
            channel.send(message)


def _explain(error: Exception) -> str:
    """Return what a user should read of an engine's error."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "The engine ran out of memory: choose a smaller model, or close what else uses the device."
    is_own = type(error).__module__.startswith("dllm_lsp.")
    if is_own or isinstance(error, OSError | ValueError):
        return str(error)
    return f"The engine failed with {type(error).__name__}: {error} (log: {log_path()})"
