from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dllm_lsp.engine.cache import ContextCache


@dataclass(eq=False)
class Sized:
    language: str
    bytes: int = 10

    def become(self, before: list[int], after: list[int]) -> int:
        return 0

    def relate(self, snippets: Sequence[list[int]], has_time: Callable[[], bool]) -> int:
        return 0


def test_the_document_used_longest_ago_is_forgotten_first() -> None:
    cache = ContextCache(Sized, limit=20)
    first, second = cache.of("first", "python"), cache.of("second", "python")
    assert cache.of("first", "python") is first
    third = cache.of("third", "python")
    assert cache.of("first", "python") is first
    assert cache.of("third", "python") is third
    assert cache.of("second", "python") is not second


def test_the_limit_is_of_bytes() -> None:
    cache = ContextCache(Sized, limit=20)
    first, second = cache.of("first", "python"), cache.of("second", "python")
    second.bytes = 15
    assert cache.of("second", "python") is second
    assert cache.of("first", "python") is not first


def test_the_newest_document_stays_however_small_the_limit() -> None:
    cache = ContextCache(Sized, limit=0)
    context = cache.of("one", "python")
    assert cache.of("one", "python") is context
    cache.of("two", "python")
    assert cache.of("one", "python") is not context


def test_a_document_in_another_language_is_another() -> None:
    cache = ContextCache(Sized, limit=20)
    assert cache.of("one", "python").language == "python"
    assert cache.of("one", "rust").language == "rust"


def test_a_document_that_was_closed_is_forgotten_in_every_language() -> None:
    cache = ContextCache(Sized, limit=40)
    kept = cache.of("two", "python")
    closed = [cache.of("one", language) for language in ("python", "rust")]
    cache.forget("one")
    cache.forget("never seen")
    assert cache.of("two", "python") is kept
    assert [cache.of("one", language) for language in ("python", "rust")] != closed


def test_it_can_forget_everything() -> None:
    cache = ContextCache(Sized, limit=20)
    context = cache.of("one", "python")
    cache.clear()
    assert cache.of("one", "python") is not context
