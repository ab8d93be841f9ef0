"""Suggestions that are still good. Knows texts, no model: what it answers costs no network pass."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from dllm_lsp.infill.hole import Hole
from dllm_lsp.suggest.suggestion import Suggestion


@dataclass(frozen=True, slots=True)
class Answer:
    """What the cache knows of a place; a `suggestion` of None says that there is nothing to show."""

    suggestion: Suggestion | None


class SuggestionCache:
    """The last suggestions and where they were made, the least recently used forgotten first.

    A place is a document and the code next to the cursor. Who types what is suggested, line breaks and indentation
    included, gets the rest of it, as long as that is more than blanks. Who then deletes some of that gets it back.
    After any other change near the cursor the place is unknown.
    """

    def __init__(self, size: int = 64) -> None:
        self._size = size
        self._known: OrderedDict[tuple[str, Hole], Suggestion | None] = OrderedDict()

    def put(self, uri: str, hole: Hole, suggestion: Suggestion | None) -> None:
        """Remember what was found at this place: None if the engine answered and it was no good."""
        key = uri, hole
        self._known[key] = suggestion
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def get(self, uri: str, hole: Hole) -> Answer | None:
        """Return the answer for this place, or None if the engine has to be asked.

        `get(uri, hole)` is None: a miss. `get(uri, hole).suggestion` is None: nothing is to be shown here.
        """
        key = uri, hole
        if key in self._known:
            self._known.move_to_end(key)
            return Answer(self._known[key])
        for known, suggestion in reversed(self._known.items()):
            rest = _rest(known[1], hole, suggestion) if known[0] == uri and suggestion else None
            if suggestion and rest and rest.strip():
                self._known.move_to_end(known)
                return Answer(replace(suggestion, text=rest))
        return None


def _rest(known: Hole, now: Hole, suggestion: Suggestion) -> str | None:
    """Return the rest of a suggestion if nothing happened since but that its beginning was typed, else None."""
    if (known.after, known.language) != (now.after, now.language) or not now.before.startswith(known.before):
        return None
    return _behind(now.before[len(known.before) :], suggestion.text)


def _behind(typed: str, text: str) -> str | None:
    """Return what follows `typed` in `text`; None if `text` does not begin with it. Blanks at line ends do not count.

    When a person breaks a line, the editor indents the next one by itself. Where that line of `text` is blank, such
    blanks count as typed; where it is indented less than that, `typed` is another text.
    """
    *done, last = typed.split("\n")
    lines = text.split("\n")
    if len(done) >= len(lines) or any(
        one.rstrip() != other.rstrip() for one, other in zip(done, lines, strict=False)
    ):
        return None
    line, *others = lines[len(done) :]
    if not line.startswith(last):
        if not done or line.strip() or last.strip():
            return None
        line = last
    return "\n".join([line[len(last) :], *others])
