"""What the engine's process does with its clients' messages.

All of it runs on the event loop but the functions below, which run on the engine's only thread. Knows channels, and no
sockets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

from dllm_lsp.host.ahead import Ahead
from dllm_lsp.host.documents import Documents
from dllm_lsp.host.engine import Engine, Report
from dllm_lsp.host.job import Job, explained
from dllm_lsp.host.memory import trim
from dllm_lsp.host.scheduler import Scheduler
from dllm_lsp.infill.hole import Hole
from dllm_lsp.wire.channel import Channel
from dllm_lsp.wire.messages import (
    Cancel,
    Drafted,
    Dropped,
    Failure,
    Filled,
    Forget,
    Infill,
    Ping,
    Pong,
    ReadAhead,
    Status,
    ToClient,
    ToEngine,
)

TRIM_SECONDS = 1.0  # of idleness, after which freed memory is given back

logger = logging.getLogger(__name__)


class Host:
    """One engine and those who talk to it; `run` ends `linger` seconds after the last of them has left."""

    def __init__(self, load: Callable[[Report], Engine], linger: float) -> None:
        self._load = load
        self._linger = linger
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "engine")  # loading too: the number of threads is set per thread
        self._scheduler = Scheduler()
        self._documents = Documents()
        self._ahead = Ahead()
        self._status = Status(state="loading")
        self._channels: dict[int, Channel[ToEngine]] = {}
        self._numbers = count(1)
        self._pings: set[int] = set()
        self._forgotten: set[str] = set()
        self._has_freed = False
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
            self._forget(self._documents.leave(client))
            if not self._channels:
                self._timer = self._loop.call_later(self._linger, self._is_done.set)

    def _receive(self, client: int, message: ToEngine) -> None:
        match message:
            case Infill():
                self._documents.use(client, message.document)
                self._ahead.drop(message.document)
                self._submit(Job(client, message))
            case ReadAhead():
                self._documents.use(client, message.document)
                self._ahead.put(message.document, message.hole)
                self._has_work.set()
            case Cancel():
                job = self._scheduler.cancel(client, message.id)
                if job is not None:
                    self._send(client, Dropped(message.id, "cancelled"))
            case Forget():
                self._forget(self._documents.close(client, message.document))
            case Ping():
                self._pings.add(client)
                if not self._scheduler.running:
                    self._answer_pings()

    def _submit(self, job: Job) -> None:
        if self._scheduler.is_full(job.client):
            self._send(job.client, Failure(job.message.id, "Too many requests wait for the engine."))
            return
        older = self._scheduler.submit(job)
        if older is not None:
            self._send(older.client, Dropped(older.message.id, "superseded"))
        self._has_work.set()

    def _forget(self, documents: Collection[str]) -> None:
        """Have the engine forget documents before its next step."""
        self._forgotten.update(documents)
        for document in documents:
            self._ahead.drop(document)
        self._has_work.set()

    async def _work(self) -> None:
        engine = await self._loaded()
        while True:
            await self._until_busy(engine)
            running = list(self._scheduler.running)
            if engine is not None:
                await self._loop.run_in_executor(self._thread, _advance, engine, running)
            for job in running:
                answer = job.answer() if engine else Failure(job.message.id, self._status.detail)
                self._show(job)
                if answer is None:
                    continue
                job.close()
                self._scheduler.finish(job)
                if isinstance(answer, Filled):  # what there was no time for is read when there is
                    self._ahead.put(job.message.document, job.message.hole)
                self._send(job.client, answer)
            self._answer_pings()

    async def _loaded(self) -> Engine | None:
        """Load the engine and tell everybody how that went."""
        try:
            engine = await self._loop.run_in_executor(self._thread, self._load, self._report_loading)
        except Exception as error:
            logger.exception("the engine cannot be loaded")
            self._announce(Status(state="failed", detail=explained(error)))
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
                milliseconds=engine.milliseconds,
                languages=engine.languages,
            )
        )
        return engine

    def _report_loading(self, detail: str) -> None:
        """Tell everybody, from any thread, how far the engine has come."""
        self._loop.call_soon_threadsafe(self._announce_loading, detail)

    def _announce_loading(self, detail: str) -> None:
        if self._status.state == "loading":  # what is told late is out of date
            self._announce(Status(state="loading", detail=detail))

    async def _until_busy(self, engine: Engine | None) -> None:
        """Forget what is to be forgotten, and let waiting jobs run; while there are none, read ahead, or wait."""
        while True:
            if self._forgotten:
                forgotten, self._forgotten, self._has_freed = self._forgotten, set(), True
                if engine is not None:
                    await self._loop.run_in_executor(self._thread, _forget, engine, forgotten)
            while self._scheduler.take() is not None:
                pass
            if self._scheduler.running:
                return
            if not (self._forgotten or await self._read_ahead(engine)):
                await self._idle()

    async def _read_ahead(self, engine: Engine | None) -> bool:
        """Read a piece of what is to be read ahead; return False, at once, where nothing is."""
        if engine is None or (wanted := self._ahead.next) is None:
            return False
        if not await self._loop.run_in_executor(self._thread, _read_piece, engine, *wanted):
            self._ahead.finish(*wanted)
        return True

    async def _idle(self) -> None:
        """Wait for work. If none comes soon, give memory that was freed back to the system."""
        self._has_work.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(TRIM_SECONDS if self._has_freed else None):
                await self._has_work.wait()
                return
        self._has_freed = False
        await self._loop.run_in_executor(self._thread, trim)

    def _show(self, job: Job) -> None:
        """Send a job's draft to a client that asked for drafts, unless it is slow in reading them."""
        draft, channel = job.request.draft if job.request else None, self._channels.get(job.client)
        if (
            draft
            and job.message.drafts
            and job.dropped is None
            and channel is not None
            and not channel.is_crowded
        ):
            channel.send(Drafted(job.message.id, draft))

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


def _forget(engine: Engine, documents: Collection[str]) -> None:
    """Runs on the engine's thread, as all that the engine does."""
    for document in documents:
        engine.forget(document)


def _read_piece(engine: Engine, document: str, hole: Hole) -> bool:
    """Read a piece ahead; return whether there may be more. Runs on the engine's thread."""
    try:
        return engine.read_ahead(document, hole) > 0
    except Exception:  # a request for this hole will say so; nobody waits for this
        logger.exception("reading ahead failed")
        return False


def _advance(engine: Engine, jobs: Sequence[Job]) -> None:
    """Begin the new jobs, and make one step with all open ones. Runs on the engine's thread."""
    for job in jobs:
        if job.request is None and job.dropped is None:
            job.begin(engine)
    if requests := [job.request for job in jobs if job.is_open]:
        engine.step(requests)
