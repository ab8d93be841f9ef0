"""One connection to an engine, from its first status to its end: requests in flight and their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from dllm_lsp.client.patience import Patience
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled
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
)

OnDraft = Callable[[Draft], None]


@dataclass(frozen=True, slots=True)
class _Pending:
    answer: asyncio.Future[Infilled | None]
    on_draft: OnDraft | None


class Link:
    """What is said over one channel; `silence` is in seconds, `on_notice` hears what a user should read.

    `adapter` is what all requests name; see `Infill`.
    """

    def __init__(
        self,
        channel: Channel[ToClient],
        silence: float,
        on_status: Callable[[Status], None],
        on_notice: Callable[[str], None],
        adapter: str | None = None,
    ) -> None:
        self._channel = channel
        self._on_status = on_status
        self._on_notice = on_notice
        self._adapter = adapter
        self._patience = Patience(silence, lambda: channel.send(Ping()), channel.abort)
        self._pending: dict[int, _Pending] = {}
        self._ids = count(1)
        self.state = "starting"  # what the engine last said, if anything

    @property
    def was_silent(self) -> bool:
        """Whether the connection was given up because the engine no longer moved."""
        return self._patience.is_over

    async def listen(self) -> None:
        """Take what the engine says until the connection ends or the model cannot be loaded.

        Requests still in flight are then answered None.
        """
        self._patience.expect()
        try:
            while self.state != "failed":
                self._take(await self._channel.receive())
                self._patience.hear(self.state == "loading" or bool(self._pending))
        except ConnectionError:
            return
        finally:
            self._patience.stop()
            self._channel.close()
            for request in list(self._pending):
                self._answer(request, None)

    async def infill(
        self, document: str, method: str, hole: Hole, limits: Limits, on_draft: OnDraft | None
    ) -> Infilled | None:
        """Ask and wait; None when superseded, failed, or cut off.

        Raises ValueError for a hole that cannot be sent: too long, or no valid Unicode.
        """
        request = next(self._ids)
        self._channel.send(
            Infill(
                id=request,
                document=document,
                method=method,
                hole=hole,
                limits=limits,
                drafts=on_draft is not None,
                adapter=self._adapter,
            )
        )
        pending = _Pending(asyncio.get_running_loop().create_future(), on_draft)
        self._pending[request] = pending
        self._patience.expect()
        try:
            return await pending.answer
        except asyncio.CancelledError:
            self._channel.send(Cancel(request))
            raise
        finally:
            self._pending.pop(request, None)

    def read_ahead(self, document: str, hole: Hole) -> None:
        """Ask for the code around a hole to be read; ValueError as for `infill`."""
        self._channel.send(ReadAhead(document, hole))

    def forget(self, document: str) -> None:
        """Tell the engine that what it keeps of a document may go."""
        with suppress(ValueError):  # no text, and so no document that it knows
            self._channel.send(Forget(document))

    def _take(self, message: ToClient) -> None:
        match message:
            case Status():
                self.state = message.state
                self._on_status(message)
            case Drafted():
                pending = self._pending.get(message.id)
                if pending is not None and pending.on_draft is not None:
                    pending.on_draft(message.draft)
            case Filled():
                if message.notice:
                    self._on_notice(message.notice)
                self._answer(message.id, message.infilled)
            case Dropped():
                self._answer(message.id, None)
            case Failure():
                self._on_notice(message.message)
                self._answer(message.id, None)
            case Pong():
                pass

    def _answer(self, request: int, answer: Infilled | None) -> None:
        pending = self._pending.pop(request, None)
        if pending is not None and not pending.answer.done():
            pending.answer.set_result(answer)
