"""The contexts of the documents used last, kept between requests. Knows no architecture."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from dllm_lsp.engine.model import Context

MEGABYTE = 1024 * 1024

_Context = TypeVar("_Context", bound=Context)


class ContextCache(Generic[_Context]):
    """The contexts used last, within a number of bytes; the newest one always stays."""

    def __init__(self, new: Callable[[str], _Context], limit: int) -> None:
        """`new` makes the empty context of a document in a language; `limit` is in bytes."""
        self._new, self._limit = new, limit
        self._contexts: OrderedDict[tuple[str, str], _Context] = OrderedDict()

    def of(self, document: str, language: str) -> _Context:
        """Return the document's context, an empty one if it is new, was evicted or changed its language."""
        key = document, language
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = self._new(language)
        self._contexts.move_to_end(key)
        while len(self._contexts) > 1 and sum(c.bytes for c in self._contexts.values()) > self._limit:
            self._contexts.popitem(last=False)
        return context

    def forget(self, document: str) -> None:
        """Forget a document, in whatever language."""
        for key in [key for key in self._contexts if key[0] == document]:
            del self._contexts[key]

    def clear(self) -> None:
        """Forget all of them."""
        self._contexts.clear()
