"""A session with a client and a fake engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from session_sides import Client, FakeEngine

from dllm_lsp.server import features
from dllm_lsp.settings import Settings, SuggestSettings


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    """The engines that the session starts, in order."""
    started: list[FakeEngine] = []
    monkeypatch.setattr(FakeEngine, "engines", started, raising=False)
    monkeypatch.setattr("dllm_lsp.assist.engines.engine_for", FakeEngine)
    monkeypatch.setattr(features, "SETTINGS_GRACE", 0.01)
    return started


@pytest_asyncio.fixture
async def client(engines: list[FakeEngine]) -> AsyncIterator[Client]:
    client = Client(Settings(suggest=SuggestSettings(confidence=0)))
    yield client
    client.session.shutdown()
    await client.serving
