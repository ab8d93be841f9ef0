"""When the client tries again, and what it tells the user of it: against an engine that dies, in leaping time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import pairwise
from math import inf
from typing import Literal

import pytest
from leaping_time import leaping

from dllm_lsp.client.client import FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS, EngineClient
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.settings import Settings
from dllm_lsp.wire.errors import StartError
from dllm_lsp.wire.messages import Status, ToClient, ToEngine


class DyingEngine:
    """An engine that lives for so many seconds, is born again and lives for the next number, and at last for ever.

    None is a process that does not even start. `births` are the times of all attempts, `deaths` of all ends.
    """

    def __init__(self, lives: Iterable[float | None]) -> None:
        self.lives = iter([*lives, inf])
        self.is_immortal = asyncio.Event()
        self.state: Literal["loading", "ready", "failed"] = "ready"
        self.births: list[float] = []
        self.deaths: list[float] = []

    async def connect(self) -> DyingEngine:
        self.births.append(_now())
        life = next(self.lives)
        if life is None:
            self.deaths.append(_now())
            raise StartError("it did not start")
        self.life = life
        self.greeting: list[ToClient] = [Status(state=self.state)]
        return self

    async def end(self) -> None:
        """There is no process to end."""

    async def receive(self) -> ToClient:
        if self.greeting:
            return self.greeting.pop()
        if self.life == inf:
            self.is_immortal.set()
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self.life)
        self.deaths.append(_now())
        raise ConnectionError("it died")

    def send(self, message: ToEngine) -> None:
        """Nobody reads it."""

    def close(self) -> None:
        """There is nothing to close."""

    abort = close

    @property
    def pauses(self) -> list[float]:
        """Seconds from each death to the next birth."""
        return [birth - death for death, birth in zip(self.deaths, self.births[1:], strict=True)]


def _now() -> float:
    return asyncio.get_running_loop().time()


class Editor:
    """A client of an engine that dies, and what a person was told."""

    def __init__(self, engine: DyingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dllm_lsp.client.client.Supervisor", lambda settings, command: engine)
        self.engine = engine
        self.notices: list[str] = []
        self.statuses: list[Status] = []
        self.client = EngineClient(Settings(), self.statuses.append, self.notices.append)

    async def survive(self) -> None:
        """Stay connected until the engine lives for ever."""
        await self.client.start()
        async with asyncio.timeout(10_000):
            await self.engine.is_immortal.wait()
        await self.client.close()


@leaping
async def test_each_pause_before_a_restart_is_twice_the_last_up_to_the_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = DyingEngine([None, 0.1] * 5)
    await Editor(engine, monkeypatch).survive()
    assert engine.pauses[0] == pytest.approx(FIRST_DELAY)
    assert engine.pauses[-1] == pytest.approx(LONGEST_DELAY)
    for shorter, longer in pairwise(engine.pauses):
        assert longer == pytest.approx(min(2 * shorter, LONGEST_DELAY))


@leaping
async def test_an_engine_that_dies_again_and_again_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = Editor(DyingEngine([0.5 * STEADY_SECONDS] * 8), monkeypatch)
    await editor.survive()
    assert len(editor.notices) == 1


@leaping
async def test_a_status_is_told_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    editor = Editor(DyingEngine([None, None, None, 1]), monkeypatch)
    await editor.survive()
    assert [status.state for status in editor.statuses] == ["failed", "ready", "starting", "ready"]


@leaping
async def test_an_engine_that_loads_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = DyingEngine([inf])
    engine.state = "loading"
    editor = Editor(engine, monkeypatch)
    await editor.client.start()
    await engine.is_immortal.wait()
    hole = Hole(before="", after="", language="python")
    assert await asyncio.wait_for(editor.client.infill("a.py", "complete", hole, Limits()), 10) is None
    await editor.client.close()


@leaping
async def test_after_steady_service_a_death_is_told_again_and_the_pause_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = DyingEngine([1, 1, 1, 2 * STEADY_SECONDS, 1])
    editor = Editor(engine, monkeypatch)
    await editor.survive()
    assert engine.pauses == pytest.approx([FIRST_DELAY * times for times in (1, 2, 4, 1, 2)])
    assert len(editor.notices) == 2
    assert editor.notices[0] == editor.notices[1]


@leaping
async def test_a_restart_by_hand_is_told_anew_and_its_pause_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = DyingEngine([1, 1, 1, inf, 1])
    editor = Editor(engine, monkeypatch)
    await editor.survive()
    engine.is_immortal.clear()
    begun = _now()
    await editor.client.restart()
    await engine.is_immortal.wait()
    assert _now() - begun == pytest.approx(1 + FIRST_DELAY)
    assert len(editor.notices) == 2


@leaping
async def test_a_model_that_cannot_be_loaded_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = DyingEngine([inf])
    engine.state = "failed"
    editor = Editor(engine, monkeypatch)
    await editor.client.start()
    await asyncio.sleep(10 * LONGEST_DELAY)
    assert engine.births == [0.0]
    assert editor.client.status.state == "failed"
    await editor.client.close()
