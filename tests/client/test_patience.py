"""When a silent peer is asked, and when given up."""

from __future__ import annotations

import asyncio

import pytest

from dllm_lsp.client.patience import Patience

SECONDS = 0.1


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def patience(calls: list[str]) -> Patience:
    return Patience(SECONDS, lambda: calls.append("ask"), lambda: calls.append("give up"))


async def test_silence_is_asked_about_and_then_given_up(patience: Patience, calls: list[str]):
    patience.expect()
    assert not patience.is_over
    async with asyncio.timeout(10):
        while not patience.is_over:
            await asyncio.sleep(0.01)
    assert calls == ["ask", "give up"]


async def test_nothing_is_asked_while_nothing_is_owed(patience: Patience, calls: list[str]):
    patience.expect()
    patience.hear(is_owed=False)
    await asyncio.sleep(2 * SECONDS)
    assert calls == []


async def test_expecting_more_does_not_prolong_the_wait(patience: Patience, calls: list[str]):
    for _ in range(20):
        patience.expect()
        await asyncio.sleep(SECONDS / 10)
    assert calls == ["ask", "give up"]


async def test_an_answer_after_a_question_begins_anew(patience: Patience, calls: list[str]):
    patience.expect()
    async with asyncio.timeout(10):
        while calls != ["ask"]:
            await asyncio.sleep(0.001)
    patience.hear(is_owed=True)
    async with asyncio.timeout(10):
        while len(calls) < 2:
            await asyncio.sleep(0.001)
    assert calls == ["ask", "ask"]
    patience.stop()
