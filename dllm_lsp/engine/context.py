"""What the model has encoded of the documents it serves, kept between requests.

For the bundled architecture the cache is exact: a stream's tokens see only those before them, so whatever prefix
still stands is as good as fresh.
"""

from __future__ import annotations

from collections import OrderedDict

import torch

from dllm_lsp.models.keyvalues import KeyValues
from dllm_lsp.models.streams import AFTER, BEFORE, StreamsModel

DEFAULT_BYTES = 512 * 1024 * 1024


class Stream:
    """One side of a hole: the tokens that were encoded, far end first, and their keys and values."""

    def __init__(self, model: StreamsModel, role: int, capacity: int) -> None:
        self._model, self._role = model, role
        self._ids: list[int] = []
        self.store: KeyValues = model.empty_stream(capacity)

    def become(self, ids: list[int]) -> int:
        """Encode what `ids` has beyond the prefix that both share; return how many tokens that were."""
        shared = _shared_prefix(self._ids, ids)
        fresh = ids[shared:]
        self._ids = ids[:shared]  # if encoding fails, what is still said to be there is there
        self.store.truncate(shared)
        if fresh:
            self._model.encode(torch.tensor(fresh, device=self.store.keys.device), self._role, self.store)
        self._ids = ids
        return len(fresh)


class DocumentContext:
    """Both streams of a document."""

    def __init__(self, model: StreamsModel) -> None:
        self.before = Stream(model, BEFORE, model.config.before + 1)
        self.after = Stream(model, AFTER, model.config.after + 1)

    @property
    def bytes(self) -> int:
        """The memory both take."""
        return self.before.store.bytes + self.after.store.bytes


class ContextCache:
    """The contexts of the documents used last, within a number of bytes; the newest one always stays."""

    def __init__(self, model: StreamsModel, limit: int = DEFAULT_BYTES) -> None:
        self._model, self._limit = model, limit
        self._documents: OrderedDict[str, DocumentContext] = OrderedDict()

    def of(self, document: str) -> DocumentContext:
        """Return the document's context, an empty one if it is new or was evicted."""
        context = self._documents.get(document)
        if context is None:
            context = self._documents[document] = DocumentContext(self._model)
        self._documents.move_to_end(document)
        while len(self._documents) > 1 and sum(c.bytes for c in self._documents.values()) > self._limit:
            self._documents.popitem(last=False)
        return context


def _shared_prefix(a: list[int], b: list[int]) -> int:
    """Return how many tokens both begin with."""
    length = min(len(a), len(b))
    return next((i for i in range(length) if a[i] != b[i]), length)
