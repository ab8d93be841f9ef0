"""A cursor that waits where the model is not ready yet."""

import asyncio
from typing import Any

import pytest
from session_sides import READY, Client, FakeEngine, until

from dllm_lsp.server import completion
from dllm_lsp.wire.messages import Status

REFRESH = "workspace/inlineCompletion/refresh"
SHOWN = ("compute(1)", (0, 8, 0, 8))


@pytest.fixture(autouse=True)
def loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines load until they are told otherwise."""

    async def start(engine: FakeEngine) -> None:
        engine.become(Status(state="loading"))

    monkeypatch.setattr(FakeEngine, "start", start)


async def started(
    client: Client, engines: list[FakeEngine], capabilities: dict[str, Any] | None = None
) -> FakeEngine:
    await client.request("initialize", {"capabilities": capabilities or {}})
    client.notify("initialized", {})
    await until(lambda: bool(engines))
    client.open("value = ")
    return engines[0]


async def test_a_request_waits_for_the_model(client: Client, engines: list[FakeEngine]) -> None:
    engine = await started(client, engines)
    asked = asyncio.create_task(client.complete(0, 8))
    await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert not asked.done()
    engine.become(READY)
    assert await asked == SHOWN
    assert not any(message.get("method") == REFRESH for message in client.received)


async def test_a_request_before_there_is_an_engine_waits_too(
    client: Client, engines: list[FakeEngine]
) -> None:
    await client.request("initialize", {"capabilities": {}})
    client.open("value = ")
    asked = asyncio.create_task(client.complete(0, 8))
    client.notify("initialized", {})
    await until(lambda: bool(engines))
    engines[0].become(READY)
    assert await asked == SHOWN


async def test_a_newer_request_or_a_failure_ends_the_waiting(
    client: Client, engines: list[FakeEngine]
) -> None:
    engine = await started(client, engines)
    older, newer = client.ask_completion(0, 8), client.ask_completion(0, 7)
    assert (await client.answer(older))["result"] is None
    engine.become(Status(state="failed", detail="no weights"))
    assert (await client.answer(newer))["result"] is None


async def test_nobody_waits_for_ever(
    client: Client, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "WAIT_SECONDS", 0.01)
    await started(client, engines)
    assert await client.complete(0, 8) is None


@pytest.mark.parametrize("secret", ["file:///work/.env", "git:/work/app.py"])
async def test_what_is_left_alone_is_left_alone_after_waiting(
    client: Client, engines: list[FakeEngine], secret: str
) -> None:
    await client.request("initialize", {"capabilities": {}})
    client.open("value = ", secret)
    asked = asyncio.create_task(client.complete(0, 8, secret))
    client.notify("initialized", {})
    await until(lambda: bool(engines))
    engines[0].become(READY)
    assert await asked == []
    assert engines[0].holes == []


async def test_a_client_that_can_be_told_is_told_to_ask_again(
    client: Client, engines: list[FakeEngine]
) -> None:
    engine = await started(client, engines, {"workspace": {"inlineCompletion": {"refreshSupport": True}}})
    assert await client.complete(0, 8) is None
    engine.become(READY)
    refresh = await client.message(lambda message: message.get("method") == REFRESH)
    client.send({"id": refresh["id"], "result": None})
    assert await client.complete(0, 8) == SHOWN
    engine.become(READY)
    assert [message.get("method") for message in client.received].count(REFRESH) == 1
