"""The engine that serves one session, for the settings of the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from dllm_lsp.autocomplete import Autocomplete
from dllm_lsp.settings import Settings
from dllm_lsp.worker.client import EngineClient
from dllm_lsp.worker.messages import Status

CLOSE_SECONDS = 1.0


class Service:
    """An engine client and the autocomplete that asks it; `autocomplete` is None before the first `use`."""

    def __init__(self, on_status: Callable[[Status], None], on_notice: Callable[[str], None]) -> None:
        self.autocomplete: Autocomplete | None = None
        self._on_status = on_status
        self._on_notice = on_notice
        self._engine: EngineClient | None = None
        self._settings: Settings | None = None
        self._lock = asyncio.Lock()

    @property
    def status(self) -> Status:
        """How the engine is."""
        return self._engine.status if self._engine else Status(state="starting")

    def use(self, settings: Settings) -> Coroutine[Any, Any, None] | None:
        """Serve by these settings from now on.

        Where they need another engine, returns what ends the use of the old one and starts the new one.
        """
        used, self._settings = self._settings, settings
        old = self._engine
        if old is not None and used is not None and _same_engine(used, settings):
            self.autocomplete = Autocomplete(old, settings.suggest)
            return None
        new = self._engine = EngineClient(settings, self._on_status, self._on_notice)
        self.autocomplete = Autocomplete(new, settings.suggest)
        self._on_status(new.status)
        return self._replace(old, new)

    async def restart(self) -> None:
        """End the engine and start it again."""
        async with self._lock:
            if self._engine is not None:
                await self._engine.restart()

    async def close(self) -> None:
        """Leave the engine, without waiting for one that hangs."""
        if self._engine is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._engine.close(), CLOSE_SECONDS)

    async def _replace(self, old: EngineClient | None, new: EngineClient) -> None:
        async with self._lock:  # changes in quick succession take effect in their order
            if old is not None:
                await old.close()
            await new.start()


def _same_engine(one: Settings, other: Settings) -> bool:
    return (one.model, one.engine) == (other.model, other.engine)
