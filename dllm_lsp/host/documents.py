"""Which documents clients work on. A plain data structure."""

from __future__ import annotations

from collections import Counter


class Documents:
    """Documents by client. What the last of its clients is done with, nobody works on."""

    def __init__(self) -> None:
        self._used: dict[int, set[str]] = {}
        self._users: Counter[str] = Counter()

    def use(self, client: int, document: str) -> None:
        """A client works on a document."""
        used = self._used.setdefault(client, set())
        if document not in used:
            used.add(document)
            self._users[document] += 1

    def close(self, client: int, document: str) -> list[str]:
        """A client is done with a document; return it if nobody works on it now."""
        used = self._used.get(client, set())
        if document not in used:
            return []
        used.remove(document)
        self._users[document] -= 1
        if self._users[document]:
            return []
        del self._users[document]
        return [document]

    def leave(self, client: int) -> list[str]:
        """A client is done with all of its documents; return those that nobody works on now."""
        done = [
            each for document in list(self._used.get(client, ())) for each in self.close(client, document)
        ]
        self._used.pop(client, None)
        return done
