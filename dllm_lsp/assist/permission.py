"""Whether something may be suggested: by settings, text, and what the document's file is. Knows no engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from dllm_lsp.context.admission import refusal_of_content
from dllm_lsp.context.inside import inside
from dllm_lsp.languages.lookup import name_of
from dllm_lsp.settings import Settings
from dllm_lsp.text.snapshot import Snapshot

Look = Callable[[str], Future[str | None]]
"""Finds out why a document, by its URI, is left alone for what its file is."""


def unserved(language: str, trained: Sequence[str], settings: Settings) -> str | None:
    """Return why nothing is suggested in a language, an LSP id, or None if something may be.

    A model serves the languages that it was `trained` on, all where none is named, and those that the user has switched
    on.
    """
    is_switched_on = settings.languages.get(language, {}).get("enabled", False)
    if not trained or is_switched_on or name_of(language) in trained:
        return None
    switch = f"languages.{language}.enabled"
    return f'the model serves {", ".join(trained)}; the setting "{switch}" can switch {language} on'


class Permission:
    """What the settings, and the files that `look` looks at, permit. All reasons are words for the user."""

    def __init__(self, settings: Settings, look: Look) -> None:
        self._settings, self._look = settings, look

    async def refusal(self, snapshot: Snapshot, trained: Sequence[str]) -> str | None:
        """Return why nothing is suggested in a document, by a model of some languages, or None if something may be."""
        if not self._settings.suggest_in(snapshot.language).enabled:
            return f"suggest.enabled is off{self._where(snapshot, 'enabled')}"
        if (reason := unserved(snapshot.language, trained, self._settings)) is not None:
            return reason
        # A look goes on when a request that waits for it is cancelled: the next one wants it, too.
        return refusal_of_content(snapshot) or await asyncio.shield(
            asyncio.wrap_future(self._look(snapshot.uri))
        )

    def refusal_here(self, snapshot: Snapshot, *, is_invoked: bool) -> str | None:
        """Return why nothing is suggested at the cursor, or None if something may be.

        `is_invoked`: a person asks, and not the editor by itself.
        """
        suggest = self._settings.suggest_in(snapshot.language)
        if not suggest.automatic and not is_invoked:
            return f"suggest.automatic is off{self._where(snapshot, 'automatic')}: ask with your editor's command"
        if suggest.comments and suggest.strings:
            return None
        place = inside(snapshot)
        if place == "comment" and not suggest.comments:
            return f"the cursor stands in a comment, and suggest.comments is off{self._where(snapshot, 'comments')}"
        if place == "string" and not suggest.strings:
            return (
                f"the cursor stands in a string, and suggest.strings is off{self._where(snapshot, 'strings')}"
            )
        return None

    def _where(self, snapshot: Snapshot, name: str) -> str:
        is_own = name in self._settings.languages.get(snapshot.language, {})
        return f" for {snapshot.language}" if is_own else ""
