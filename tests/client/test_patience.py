"""When a silent peer is asked, and when given up; in leaping time."""

from __future__ import annotations

import asyncio

from leaping_time import leaping

from dllm_lsp.client.patience import Patience

SECONDS = 10.0


class Waiting:
    """A patience that begins to wait, and what it called when."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float]] = []
        self.patience = Patience(SECONDS, lambda: self.take("ask"), lambda: self.take("give up"))
        self.patience.expect()

    def take(self, call: str) -> None:
        self.calls.append((call, asyncio.get_running_loop().time()))


@leaping
async def test_silence_is_asked_about_and_then_given_up() -> None:
    waiting = Waiting()
    await asyncio.sleep(0.9 * SECONDS)
    assert not waiting.patience.is_over
    await asyncio.sleep(SECONDS)
    assert waiting.patience.is_over
    assert waiting.calls == [("ask", SECONDS / 2), ("give up", SECONDS)]


@leaping
async def test_nothing_is_asked_while_nothing_is_owed() -> None:
    waiting = Waiting()
    waiting.patience.hear(is_owed=False)
    await asyncio.sleep(2 * SECONDS)
    assert waiting.calls == []


@leaping
async def test_expecting_more_does_not_prolong_the_wait() -> None:
    waiting = Waiting()
    for _ in range(20):
        waiting.patience.expect()
        await asyncio.sleep(SECONDS / 10)
    assert waiting.calls == [("ask", SECONDS / 2), ("give up", SECONDS)]


@leaping
async def test_an_answer_after_a_question_begins_anew() -> None:
    waiting = Waiting()
    await asyncio.sleep(0.7 * SECONDS)
    waiting.patience.hear(is_owed=True)
    await asyncio.sleep(0.7 * SECONDS)
    assert waiting.calls == [("ask", 0.5 * SECONDS), ("ask", 1.2 * SECONDS)]
    waiting.patience.stop()
    await asyncio.sleep(2 * SECONDS)
    assert not waiting.patience.is_over
