"""Files that belong together, and what of them goes with a place in one of them. Knows texts, not how they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from dllm_lsp.context.snippets import Index, Snippet, cut, names, neighbors
from dllm_lsp.infill.hole import Hole
from dllm_lsp.text.snapshot import Snapshot

_QUERY = 30  # lines on both sides of the cursor whose names are looked for
_INDEXES = 8  # how many files' neighborhoods stay indexed
_LONGEST = 4_000  # characters of a snippet, where lines are long; no model reads more


class Passages:
    """Texts by path, cut into snippets; to be made anew when one of them changes."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._snippets = {path: cut(path, text) for path, text in files.items()}
        self._index = lru_cache(_INDEXES)(partial(_indexed, self._snippets))

    def related(
        self, path: str, snapshot: Snapshot, hole: Hole, count: int, hidden: int = 0
    ) -> tuple[str, ...]:
        """Return at most `count` snippets for the hole at the cursor of the file `path`, the best first.

        What the hole's own context shows of the file is left out, and `hidden` lines behind it.
        """
        first = snapshot.line - hole.before.count("\n")
        last = snapshot.line + hole.after.count("\n") + hidden
        around = snapshot.lines[max(0, snapshot.line - _QUERY) : snapshot.line + _QUERY + 1]
        index = self._index(neighbors(path, "".join(snapshot.lines), self._snippets.keys()))
        found = index.related(names("".join(around)), path, range(first, last + 1), count)
        return tuple(index.snippets[number].text[:_LONGEST] for number in found)


def _indexed(snippets: Mapping[str, Sequence[Snippet]], paths: frozenset[str]) -> Index:
    return Index([snippet for path in sorted(paths) for snippet in snippets.get(path, ())])
