"""Whether a document may be completed: by the settings, by its text, and by what its file is. Knows no engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

from dllm_lsp.context.admission import refusal_of_content
from dllm_lsp.settings import SuggestSettings
from dllm_lsp.text.snapshot import Snapshot

Look = Callable[[str], Future[str | None]]
"""Finds out why a document, by its URI, is left alone for what its file is."""


class Permission:
    """What the settings, and the files that `look` looks at, permit."""

    def __init__(self, settings: SuggestSettings, look: Look) -> None:
        self._settings, self._look = settings, look

    async def refusal(self, snapshot: Snapshot) -> str | None:
        """Return why nothing is suggested in a document, in words for the user, or None if something may be."""
        if not self._settings.enabled:
            return "suggest.enabled is off"
        # A look goes on when a request that waits for it is cancelled: the next one wants it, too.
        return refusal_of_content(snapshot) or await asyncio.shield(
            asyncio.wrap_future(self._look(snapshot.uri))
        )
