"""What is to be read while nobody asks for anything. A plain data structure, bounded, and so it ends."""

from __future__ import annotations

from dllm_lsp.infill.hole import Hole

KEPT = 4
"""Documents; of more, those told of last are the likeliest to be worked on."""


class Ahead:
    """Of some documents the last hole each, whose surroundings are to be read; the newest comes first."""

    def __init__(self) -> None:
        self._holes: dict[str, Hole] = {}

    def put(self, document: str, hole: Hole) -> None:
        """Have the code around a hole read, and around no older hole of the document."""
        self.drop(document)
        self._holes[document] = hole
        while len(self._holes) > KEPT:
            del self._holes[next(iter(self._holes))]

    def drop(self, document: str) -> None:
        """Read nothing more of a document."""
        self._holes.pop(document, None)

    @property
    def next(self) -> tuple[str, Hole] | None:
        """The document and the hole to go on with."""
        return next(reversed(self._holes.items()), None)

    def finish(self, document: str, hole: Hole) -> None:
        """Take note that all around a hole is read."""
        if self._holes.get(document) is hole:
            self.drop(document)
