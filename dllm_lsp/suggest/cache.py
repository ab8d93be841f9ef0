"""Suggestions that are still good. Knows texts, no model: what it answers costs no network pass."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from dllm_lsp.context.window import hole_at
from dllm_lsp.infill.hole import Hole
from dllm_lsp.suggest.suggestion import Suggestion
from dllm_lsp.text.snapshot import Snapshot

# Characters on either side of the cursor that must be as they were.
_REACH = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """What the cache knows of a position; a `suggestion` of None says that there is nothing to show."""

    suggestion: Suggestion | None


class SuggestionCache:
    """The last suggestions and where they were made, the least recently used forgotten first.

    A person who types what is suggested gets the rest of it, and one who deletes some of that again gets it
    back. Any other change near the cursor makes a position unknown.
    """

    def __init__(self, size: int = 64) -> None:
        self._size = size
        self._known: OrderedDict[tuple[str, Hole], Suggestion | None] = OrderedDict()

    def put(self, snapshot: Snapshot, suggestion: Suggestion | None) -> None:
        """Remember what was found for this snapshot: None if the engine answered and it was no good."""
        key = _key(snapshot)
        self._known[key] = suggestion
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def get(self, snapshot: Snapshot) -> Answer | None:
        """Return the answer for this snapshot, or None if the engine has to be asked.

        `get(snapshot)` is None: a miss. `get(snapshot).suggestion` is None: nothing is to be shown here.
        """
        uri, hole = key = _key(snapshot)
        if key in self._known:
            self._known.move_to_end(key)
            return Answer(self._known[key])
        for known, suggestion in reversed(self._known.items()):
            rest = _rest(known[1], hole, suggestion) if known[0] == uri and suggestion else None
            if suggestion and rest:
                self._known.move_to_end(known)
                return Answer(replace(suggestion, text=rest))
        return None

    def clear(self) -> None:
        """Forget everything, as when settings or the model change."""
        self._known.clear()


def _key(snapshot: Snapshot) -> tuple[str, Hole]:
    return snapshot.uri, hole_at(snapshot, _REACH, _REACH)


def _rest(known: Hole, now: Hole, suggestion: Suggestion) -> str | None:
    """Return what is left of a suggestion if all that happened since is that its beginning was typed."""
    if (known.after, known.language) != (now.after, now.language) or not now.before.startswith(known.before):
        return None
    typed = now.before[len(known.before) :]
    return suggestion.text[len(typed) :] if suggestion.text.startswith(typed) else None
