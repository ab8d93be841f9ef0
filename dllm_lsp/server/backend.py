"""What serves one session behind the protocol, by the settings of the moment: engine, autocomplete, files around."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec import structs

from dllm_lsp.settings import Settings, SuggestSettings
from dllm_lsp.wire.messages import Status

if TYPE_CHECKING:
    from dllm_lsp.assist.autocomplete import Autocomplete
    from dllm_lsp.assist.engine import Engine
    from dllm_lsp.assist.permission import Permission
    from dllm_lsp.project.exclusions import Exclusions
    from dllm_lsp.project.neighborhoods import Neighborhoods
    from dllm_lsp.project.opened import Opened
    from dllm_lsp.text.snapshot import Snapshot

CLOSE_SECONDS = 1.0


class Backend:
    """An engine, the autocomplete that asks it, and what is known of the files of what is `opened`."""

    def __init__(
        self,
        on_status: Callable[[Status], None],
        on_notice: Callable[[str], None],
        opened: Callable[[], Opened],
    ) -> None:
        self._opened = opened
        self._neighborhoods: Neighborhoods | None = None
        self._exclusions: Exclusions | None = None
        self._permission: Permission | None = None
        self._suggesting: Callable[[SuggestSettings], Autocomplete] | None = None
        self._autocompletes: dict[str, Autocomplete] = {}
        self._is_paused = False
        self._was_ready = False
        self._on_status = on_status
        self._on_notice = on_notice
        self._engine: Engine | None = None
        self._settings: Settings | None = None
        self._adapter: str | None = None
        self._note = ""
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def status(self) -> Status:
        """How the engine is; when it is ready, with what there is to say of its model."""
        status = self._engine.status if self._engine else Status(state="starting")
        return (
            structs.replace(status, detail=self._note) if status.state == "ready" and self._note else status
        )

    @property
    def was_ready(self) -> bool:
        """Whether an engine was ready at some time."""
        return self._was_ready

    async def wait_ready(self, seconds: float) -> bool:
        """Wait until the engine is ready or has failed, at most so long; return whether one was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.status.state not in ("ready", "failed"):
                    self._changed.clear()
                    await self._changed.wait()
        return self._was_ready

    async def refusal(self, snapshot: Snapshot) -> str | None:
        """Return why nothing is suggested in a document, in words for the user, or None if something may be."""
        if self._is_paused:
            return "suggestions are paused; dllm.resume goes on with them"
        if self._permission is None:
            return None
        return await self._permission.refusal(snapshot, self.status.languages)

    def refusal_here(self, snapshot: Snapshot, *, is_invoked: bool) -> str | None:
        """Return why nothing is suggested at the cursor, as `refusal` does."""
        return self._permission.refusal_here(snapshot, is_invoked=is_invoked) if self._permission else None

    def autocomplete(self, language: str) -> Autocomplete | None:
        """Return what suggests in documents in a language; None until an engine is ready for the first time."""
        if not self._was_ready or self._suggesting is None or self._settings is None:
            return None
        key = language if language in self._settings.languages else ""
        if key not in self._autocompletes:
            self._autocompletes[key] = self._suggesting(self._settings.suggest_in(language))
        return self._autocompletes[key]

    def pause(self) -> None:
        """Suggest nothing until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        """Suggest again."""
        self._is_paused = False

    async def use(self, settings: Settings, note: str = "", adapter: str | None = None) -> None:
        """Serve by these settings from now on. Where they need another engine, start it and leave the old one.

        `note` says of the model what a user may want to know, `adapter` is the fingerprint of one that was fine-tuned.
        """
        # What the engine needs is imported here, and not before the answer to `initialize`.
        from dllm_lsp.assist.autocomplete import Autocomplete  # noqa: PLC0415
        from dllm_lsp.assist.engines import engine_for  # noqa: PLC0415
        from dllm_lsp.assist.permission import Permission  # noqa: PLC0415
        from dllm_lsp.project.background import in_background  # noqa: PLC0415
        from dllm_lsp.project.exclusions import Exclusions  # noqa: PLC0415
        from dllm_lsp.project.neighborhoods import Neighborhoods  # noqa: PLC0415

        used, self._settings, self._note = self._settings, settings, note
        if self._neighborhoods is None:
            self._neighborhoods = Neighborhoods(self._considered, in_background)
        elif used is not None and used.suggest.exclude != settings.suggest.exclude:
            self._neighborhoods.outdate()
        self._exclusions = Exclusions(self._considered, in_background, ignored=settings.suggest.ignored)
        self._permission = Permission(settings, self._exclusions.look)
        old, same_adapter = self._engine, adapter == self._adapter
        self._adapter = adapter
        is_same = old is not None and used is not None and same_adapter and _same_engine(used, settings)
        engine = self._engine = (
            old if old and is_same else engine_for(settings, self._take_status, self._on_notice, adapter)
        )
        self._suggesting = partial(Autocomplete, engine, related=self._neighborhoods.related)
        self._autocompletes = {}
        if is_same:
            return
        self._on_status(engine.status)
        async with self._lock:  # changes in quick succession take effect in their order
            if old is not None:
                await old.close()
            await engine.start()

    def outdate_files(self) -> None:
        """Look at files anew, of which some have changed."""
        for each in (self._neighborhoods, self._exclusions):
            if each is not None:
                each.outdate()

    def forget(self, uri: str) -> None:
        """Give up what is known of a document, its file and those around it."""
        for each in (self._neighborhoods, self._exclusions):
            if each is not None:
                each.forget(uri)
        if self._engine is not None:
            self._engine.forget(uri)

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

    def _considered(self) -> Opened:
        """Return what is opened, and what the user excludes of it."""
        exclude = self._settings.suggest.exclude if self._settings else ()
        return self._opened()._replace(exclude=exclude)

    def _take_status(self, status: Status) -> None:
        self._was_ready = self._was_ready or status.state == "ready"
        self._changed.set()
        self._on_status(status)


def _same_engine(one: Settings, other: Settings) -> bool:
    return (one.model, one.engine) == (other.model, other.engine)
