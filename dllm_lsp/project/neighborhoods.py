"""The neighborhoods of the documents that were used last, looked at in the background. Knows no LSP and no model.

Nothing waits for a look: what has not been read yet is not there.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from dllm_lsp.infill.hole import Hole
from dllm_lsp.project.files import LARGEST_FILE, path_of
from dllm_lsp.project.neighborhood import Neighborhood, look_around
from dllm_lsp.project.opened import Opened
from dllm_lsp.text.snapshot import Snapshot

FRESH_SECONDS = 30.0
KEPT = 4  # documents

Work = Callable[[], Neighborhood]


class Neighborhoods:
    """Looks around one document at a time, and again where the last look was some time ago.

    `opened` says what the editor has open, and `run` does the looking. All methods belong to one thread.
    """

    def __init__(
        self,
        opened: Callable[[], Opened],
        run: Callable[[Work], Future[Neighborhood]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opened, self._run, self._clock = opened, run, clock
        self._begun: dict[str, float] = {}
        self._found: OrderedDict[str, Neighborhood] = OrderedDict()
        self._look: tuple[str, Future[Neighborhood]] | None = None

    def related(self, snapshot: Snapshot, hole: Hole, count: int) -> tuple[str, ...]:
        """Return at most `count` snippets for the hole at the cursor, the best first, from what is known by now."""
        uri = snapshot.uri
        if path_of(uri) is None or sum(map(len, snapshot.lines)) > LARGEST_FILE:
            return ()
        if self._look is None and self._is_due(uri):
            self._begun[uri] = self._clock()
            self._look = uri, self._run(partial(look_around, snapshot, hole, count, self._opened()))
        self._take()
        found = self._found.get(uri)
        if found is None or found.passages is None:
            return ()
        self._found.move_to_end(uri)
        return found.passages.related(found.path, snapshot, hole, count)

    def outdate(self) -> None:
        """Look around every document anew when it is used next, since files have changed."""
        self._begun.clear()

    def forget(self, uri: str) -> None:
        """Give up what is known of a document."""
        self._begun.pop(uri, None)
        self._found.pop(uri, None)

    def _is_due(self, uri: str) -> bool:
        begun = self._begun.get(uri)
        return begun is None or self._clock() - begun > FRESH_SECONDS

    def _take(self) -> None:
        """Keep what the last look has found, if it has ended."""
        if self._look is None or not self._look[1].done():
            return
        (uri, future), self._look = self._look, None
        self._found[uri] = future.result()
        self._found.move_to_end(uri)
        while len(self._found) > KEPT:
            oldest, _ = self._found.popitem(last=False)
            self._begun.pop(oldest, None)
