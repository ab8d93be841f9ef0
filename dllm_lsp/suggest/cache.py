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

    A place is a document and the code next to the cursor. A person who types what is suggested, line breaks
    and indentation included, gets the rest of it, and one who deletes some of that again gets it back. Any other
    change near the cursor makes a place unknown.
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
            if suggestion and rest:
                self._known.move_to_end(known)
                return Answer(replace(suggestion, text=rest))
        return None


def _rest(known: Hole, now: Hole, suggestion: Suggestion) -> str | None:
    """Return what is left of a suggestion if all that happened since is that its beginning was typed."""
    if (known.after, known.language) != (now.after, now.language) or not now.before.startswith(known.before):
        return None
    return _behind(now.before[len(known.before) :], suggestion.text)


def _behind(typed: str, text: str) -> str | None:
    """Return what follows in `text` on `typed`, None if that is not its beginning, up to blanks at the ends of lines.

    An editor indents a line that a person breaks, also where the next line of the text is blank or indented less:
    the former is passed over, the latter is another text.
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
