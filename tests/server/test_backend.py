"""What serves a session, when its settings change."""

import asyncio

import pytest
from session_sides import READY, FakeEngine

from dllm_lsp.project.opened import Opened
from dllm_lsp.server.backend import Backend
from dllm_lsp.settings import Settings
from dllm_lsp.wire.messages import Status


@pytest.fixture
def backend() -> Backend:
    return Backend(lambda status: None, lambda notice: None, lambda: Opened((), {}))


async def test_changes_in_quick_succession_take_effect_in_their_order(
    backend: Backend, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    gate = asyncio.Event()

    async def start(engine: FakeEngine) -> None:
        calls.append(f"start {engine.settings.model}")

    async def close(engine: FakeEngine) -> None:
        if engine.settings.model == "a":
            await gate.wait()
        calls.append(f"close {engine.settings.model}")

    monkeypatch.setattr(FakeEngine, "start", start)
    monkeypatch.setattr(FakeEngine, "close", close)
    await backend.use(Settings(model="a"))
    changes = [asyncio.create_task(backend.use(Settings(model=model))) for model in ("b", "c")]
    for _ in range(10):
        await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*changes)
    assert calls == ["start a", "close a", "start b", "close b", "start c"]


async def test_another_adapter_takes_another_client_and_the_same_one_does_not(
    backend: Backend, engines: list[FakeEngine]
) -> None:
    for adapter in (None, "a", "a", "b"):
        await backend.use(Settings(), adapter=adapter)
    assert [(engine.adapter, engine.closed) for engine in engines] == [
        (None, True),
        ("a", True),
        ("b", False),
    ]


async def test_of_a_model_something_is_said_once_it_is_ready(
    backend: Backend, engines: list[FakeEngine]
) -> None:
    await backend.use(Settings(), note="fine-tuned")
    [engine] = engines
    for status, detail in (
        (Status(state="loading", detail="1 of 2"), "1 of 2"),
        (Status(state="failed", detail="no weights"), "no weights"),
        (READY, "fine-tuned"),
    ):
        engine.become(status)
        assert backend.status.detail == detail
