"""The engine that serves one session, for the settings of the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

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

    async def use(self, settings: Settings) -> None:
        """Serve by these settings; the engine changes only where its own settings do."""
        async with self._lock:
            used, self._settings = self._settings, settings
            if used is None or (used.model, used.engine) != (settings.model, settings.engine):
                await self._close()
                self._engine = EngineClient(settings, self._on_status, self._on_notice)
                await self._engine.start()
            assert self._engine is not None
            self.autocomplete = Autocomplete(self._engine, settings.suggest)

    async def restart(self) -> None:
        """End the engine and start it again."""
        async with self._lock:
            if self._engine is not None:
                await self._engine.restart()

    async def close(self) -> None:
        """Leave the engine, without waiting for one that hangs."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._close(), CLOSE_SECONDS)

    async def _close(self) -> None:
        if self._engine is not None:
            await self._engine.close()
