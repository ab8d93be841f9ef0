"""What serves one session behind the protocol, by the settings of the moment: engine, autocomplete, files around."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import structs

from dllm_lsp.settings import Settings
from dllm_lsp.wire.messages import Status

if TYPE_CHECKING:
    from dllm_lsp.assist.autocomplete import Autocomplete
    from dllm_lsp.assist.engine import Engine
    from dllm_lsp.project.neighborhoods import Neighborhoods
    from dllm_lsp.project.opened import Opened

CLOSE_SECONDS = 1.0


class Backend:
    """An engine, the autocomplete that asks it, and the files around what is `opened`."""

    def __init__(
        self,
        on_status: Callable[[Status], None],
        on_notice: Callable[[str], None],
        opened: Callable[[], Opened],
    ) -> None:
        self._opened = opened
        self._neighborhoods: Neighborhoods | None = None
        self._autocomplete: Autocomplete | None = None
        self._was_ready = False
        self._on_status = on_status
        self._on_notice = on_notice
        self._engine: Engine | None = None
        self._settings: Settings | None = None
        self._note = ""
        self._lock = asyncio.Lock()

    @property
    def status(self) -> Status:
        """How the engine is; when it is ready, with what there is to say of its model."""
        status = self._engine.status if self._engine else Status(state="starting")
        return (
            structs.replace(status, detail=self._note) if status.state == "ready" and self._note else status
        )

    @property
    def autocomplete(self) -> Autocomplete | None:
        """What suggests; None until an engine is ready for the first time."""
        return self._autocomplete if self._was_ready else None

    async def use(self, settings: Settings, note: str = "") -> None:
        """Serve by these settings from now on. Where they need another engine, start it and leave the old one.

        `note` says of the model what a user may want to know.
        """
        # What the engine needs is imported here, and not before the answer to `initialize`.
        from dllm_lsp.assist.autocomplete import Autocomplete  # noqa: PLC0415
        from dllm_lsp.assist.engines import engine_for  # noqa: PLC0415
        from dllm_lsp.project.neighborhoods import Neighborhoods, in_background  # noqa: PLC0415

        if self._neighborhoods is None:
            self._neighborhoods = Neighborhoods(self._opened, in_background)
        related = self._neighborhoods.related
        used, self._settings, self._note = self._settings, settings, note
        old = self._engine
        if old is not None and used is not None and _same_engine(used, settings):
            self._autocomplete = Autocomplete(old, settings.suggest, related)
            return
        new = self._engine = engine_for(settings, self._take_status, self._on_notice)
        self._autocomplete = Autocomplete(new, settings.suggest, related)
        self._on_status(new.status)
        async with self._lock:  # changes in quick succession take effect in their order
            if old is not None:
                await old.close()
            await new.start()

    def outdate_files(self) -> None:
        """Look at files anew, of which some have changed."""
        if self._neighborhoods is not None:
            self._neighborhoods.outdate()

    def forget(self, uri: str) -> None:
        """Give up what is known of a document's files."""
        if self._neighborhoods is not None:
            self._neighborhoods.forget(uri)

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

    def _take_status(self, status: Status) -> None:
        self._was_ready = self._was_ready or status.state == "ready"
        self._on_status(status)


def _same_engine(one: Settings, other: Settings) -> bool:
    return (one.model, one.engine) == (other.model, other.engine)
