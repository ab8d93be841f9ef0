"""From a snapshot to a suggestion: the cache, the context, the engine, the finish. One way through.

Knows no protocol and no process: the engine is whoever fills holes.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from dllm_lsp.assist.engine import Engine, OnDraft
from dllm_lsp.context.window import below_the_first, hole_at, vicinity
from dllm_lsp.infill.extent import Extent
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.settings import SuggestSettings
from dllm_lsp.suggest.cache import SuggestionCache
from dllm_lsp.suggest.finish import finish
from dllm_lsp.suggest.lines import extent_at
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.text.snapshot import Snapshot
from dllm_lsp.wire.messages import Status

METHOD = "complete"

_TOKENS: dict[Extent, int] = {"line": 32, "block": 64, "all": 64}
"""How many tokens a suggestion of each extent may have."""

Related = Callable[[Snapshot, Hole, int], tuple[str, ...]]
"""Returns at most so many snippets for the hole at a snapshot's cursor, without waiting for anything."""


class Autocomplete:
    """Suggests what to write at a snapshot's cursor."""

    def __init__(self, engine: Engine, settings: SuggestSettings, related: Related | None = None) -> None:
        self._engine = engine
        self._settings = settings
        self._related = related if settings.snippets else None
        self._cache = SuggestionCache()

    async def suggest(self, snapshot: Snapshot, on_draft: OnDraft | None = None) -> Suggestion | None:
        """Return what to insert at the cursor, or None when nothing is good enough or no engine is ready.

        `on_draft` hears every denoising step; none happens when the suggestion is still known.
        """
        near = vicinity(snapshot)
        if (known := self._cache.get(snapshot.uri, near)) is not None:
            return known.suggestion
        status = self._engine.status
        if status.state != "ready":
            return None
        limits = limits_of(self._settings, extent_at(near, self._settings.lines), status.milliseconds)
        hole = self._hole(snapshot, status)
        infilled = await self._engine.infill(snapshot.uri, METHOD, hole, limits, on_draft)
        if infilled is None:
            return None
        suggestion = finish(near, infilled, self._settings)
        if infilled.steps:  # else there was no time to write anything
            self._cache.put(snapshot.uri, near, suggestion)
        return suggestion

    def read_ahead(self, snapshot: Snapshot) -> None:
        """Have the engine read in idle time what it needs to suggest at the cursor."""
        status = self._engine.status
        if status.state == "ready":
            self._engine.read_ahead(snapshot.uri, self._hole(snapshot, status))

    def read_opened(self, snapshot: Snapshot) -> None:
        """Have the engine read in idle time what it needs wherever the cursor will be among the document's first lines.

        Where the cursor of the snapshot stands does not matter.
        """
        self.read_ahead(below_the_first(snapshot, self._engine.status.before))

    def _hole(self, snapshot: Snapshot, status: Status) -> Hole:
        """Return what the model is to see of the code around the cursor, and related snippets."""
        hole = hole_at(snapshot, status.before, status.after)
        if status.snippets and self._related is not None:
            hole = structs.replace(hole, snippets=self._related(snapshot, hole, status.snippets))
        return hole.with_whole_word.in_spaces


def limits_of(settings: SuggestSettings, extent: Extent, usual: float) -> Limits:
    """Return what one suggestion of an extent may cost: no more than it takes to know it, or that it stays hidden.

    `usual` is the milliseconds that the model should have where the settings do not say.
    """
    return Limits(
        effort=settings.effort,
        tokens=_TOKENS[extent],
        milliseconds=settings.milliseconds or usual,
        extent=extent,
        confidence=settings.confidence,
    )
