"""What is said over a connection, and when it is given up; in leaping time."""

from __future__ import annotations

import asyncio

import pytest
from leaping_time import leaping

from dllm_lsp.client.link import Link
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled
from dllm_lsp.wire.messages import Cancel, Drafted, Infill, Ping, Status, ToClient, ToEngine

SILENCE = 10.0
HOLE = Hole(before="x = ", after="\n", language="python")
LOADING, READY = Status(state="loading"), Status(state="ready")


class Engine:
    """Says what it is told to say, and else nothing, not even that it is there."""

    def __init__(self, *said: ToClient) -> None:
        self.said: asyncio.Queue[ToClient | None] = asyncio.Queue()
        for message in said:
            self.said.put_nowait(message)
        self.heard: list[ToEngine] = []
        self.link = Link(self, SILENCE, lambda status: None, lambda message: None)  # type: ignore[arg-type]
        self.drafts: list[Draft] = []

    async def receive(self) -> ToClient:
        message = await self.said.get()
        if message is None:
            raise ConnectionError("given up")
        return message

    def send(self, message: ToEngine) -> None:
        self.heard.append(message)

    def close(self) -> None:
        self.said.put_nowait(None)

    abort = close

    async def infill(self) -> Infilled | None:
        return await self.link.infill("a.py", "complete", HOLE, Limits(), self.drafts.append)


@leaping
async def test_one_that_says_nothing_at_all_is_given_up() -> None:
    engine = Engine()
    await asyncio.wait_for(engine.link.listen(), 10 * SILENCE)
    assert engine.link.was_silent
    assert engine.heard == [Ping()]


@leaping
async def test_one_that_falls_silent_while_it_loads_is_given_up() -> None:
    engine = Engine(LOADING)
    await asyncio.wait_for(engine.link.listen(), 10 * SILENCE)
    assert engine.link.was_silent


@leaping
async def test_one_that_has_nothing_to_do_may_be_silent() -> None:
    engine = Engine(LOADING, READY)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(engine.link.listen(), 10 * SILENCE)
    assert not engine.link.was_silent
    assert engine.heard == []


@leaping
async def test_one_that_falls_silent_before_its_answer_is_given_up() -> None:
    engine = Engine(READY)
    listening = asyncio.create_task(engine.link.listen())
    asked = asyncio.create_task(engine.infill())
    await asyncio.sleep(0.4 * SILENCE)
    engine.said.put_nowait(Drafted(1, Draft(1, ())))
    assert await asyncio.wait_for(asked, 10 * SILENCE) is None
    assert len(engine.drafts) == 1
    assert [type(message) for message in engine.heard] == [Infill, Ping]
    await listening
    assert engine.link.was_silent
    assert asyncio.get_running_loop().time() == pytest.approx(1.4 * SILENCE), "a draft is a sign of life"


@leaping
async def test_a_request_that_is_cancelled_is_told_to_the_engine() -> None:
    engine = Engine()
    asked = asyncio.create_task(engine.infill())
    await asyncio.sleep(1)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert engine.heard[1:] == [Cancel(1)]


@pytest.mark.parametrize("is_heard", [True, False])
@leaping
async def test_drafts_are_asked_for_where_somebody_hears_them(is_heard: bool) -> None:
    engine = Engine()
    on_draft = engine.drafts.append if is_heard else None
    asked = asyncio.create_task(engine.link.infill("a.py", "complete", HOLE, Limits(), on_draft))
    await asyncio.sleep(1)
    [request] = engine.heard
    assert isinstance(request, Infill)
    assert request.drafts == is_heard
    asked.cancel()
