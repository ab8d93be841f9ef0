from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marked import hole_of

from dllm_lsp.suggest.cache import Answer, SuggestionCache
from dllm_lsp.suggest.suggestion import Suggestion

CALL = Suggestion("f(a, b)", 0.9)
BODY = Suggestion("\n    b = a\n\n    if b:\n        return b\n    return a", 0.9)
URI = "file:///work/app.py"


def cache_with(marked: str, suggestion: Suggestion | None = CALL) -> SuggestionCache:
    cache = SuggestionCache()
    cache.put(URI, hole_of(marked), suggestion)
    return cache


def rest_at(cache: SuggestionCache, marked: str, uri: str = URI) -> str | None:
    answer = cache.get(uri, hole_of(marked))
    return answer.suggestion.text if answer and answer.suggestion else None


def test_the_same_place_is_known() -> None:
    cache = cache_with("x = ¦\n")
    assert cache.get(URI, hole_of("x = ¦\n")) == Answer(CALL)


def test_typing_what_is_suggested_leaves_the_rest_and_deleting_brings_it_back() -> None:
    cache = cache_with("x = ¦\ny = 1\n")
    assert rest_at(cache, "x = f(a¦\ny = 1\n") == ", b)"
    assert rest_at(cache, "x = f¦\ny = 1\n") == "(a, b)"
    assert rest_at(cache, "x = ¦\ny = 1\n") == "f(a, b)"


@pytest.mark.parametrize(
    ("typed", "rest"),
    [
        ("\n", "    b = a\n\n    if b:\n        return b\n    return a"),
        ("\n    ", "b = a\n\n    if b:\n        return b\n    return a"),
        ("\n    b = a\n", "\n    if b:\n        return b\n    return a"),
        # The editor indents a line that stays blank, and takes that away again or not.
        ("\n    b = a\n    ", "\n    if b:\n        return b\n    return a"),
        ("\n    b = a\n    \n    i", "f b:\n        return b\n    return a"),
        ("\n    b = a\n\n    if b:\n        ", "return b\n    return a"),
        # It indents more than the text.
        ("\n        ", None),
        ("\n    b = a\n\n    if b:\n        return b\n        ", None),
        ("\n    b = a\n\n    if b:\n        return b\n    return", " a"),
        # Another text.
        ("\n\t", None),
        ("\n    b = b", None),
        ("\n    b = a\n    if b:", None),
        ("\n    b = a\n\n\n", None),
        ("\n    b = a\n\n    if b:\n        return b\n    return a\n", None),
    ],
)
def test_several_lines_are_typed_through(typed: str, rest: str | None) -> None:
    cache = cache_with("def f(a):¦\n\nf(1)\n", BODY)
    assert rest_at(cache, f"def f(a):{typed}¦\n\nf(1)\n") == rest


def test_when_only_blanks_are_left_the_engine_is_asked() -> None:
    cache = cache_with("x = a ¦b\n", Suggestion("==\n    ", 0.9))
    assert rest_at(cache, "x = a =¦b\n") == "=\n    "
    assert cache.get(URI, hole_of("x = a ==¦b\n")) is None


def test_when_all_is_typed_the_engine_is_asked() -> None:
    assert cache_with("x = ¦\n").get(URI, hole_of("x = f(a, b)¦\n")) is None


def test_anything_else_is_a_miss() -> None:
    cache = cache_with("z = 0\nx = ¦\ny = 1\n")
    for marked in (
        "z = 0\nx = g¦\ny = 1\n",
        "z = 0\nx =¦\ny = 1\n",
        "z = 0\nx = f¦(\ny = 1\n",
        "z = 0\nx = f¦\ny = 2\n",
        "z = 3\nx = f¦\ny = 1\n",
        "z = 0\nx = ¦f\ny = 1\n",
    ):
        assert cache.get(URI, hole_of(marked)) is None
    assert rest_at(cache, "z = 0\nx = f¦\ny = 1\n", uri="file:///work/other.py") is None
    assert cache.get(URI, hole_of("z = 0\nx = f¦\ny = 1\n", language="ruby")) is None


def test_nothing_to_show_is_known_at_its_place_only() -> None:
    cache = cache_with("x = ¦\n", None)
    assert cache.get(URI, hole_of("x = ¦\n")) == Answer(None)
    assert cache.get(URI, hole_of("x = f¦\n")) is None


def test_the_newest_answer_holds() -> None:
    cache = cache_with("x = ¦\n")
    cache.put(URI, hole_of("x = f¦\n"), Suggestion("()", 0.8))
    assert rest_at(cache, "x = f(¦\n") == ")"
    assert rest_at(cache, "x = f(a¦\n") == ", b)"


def test_the_least_recently_used_is_forgotten() -> None:
    cache = SuggestionCache(size=2)
    for number in (1, 2):
        cache.put(URI, hole_of(f"x{number} = ¦\n"), CALL)
    assert rest_at(cache, "x1 = f¦\n")
    cache.put(URI, hole_of("x3 = ¦\n"), CALL)
    assert rest_at(cache, "x1 = ¦\n")
    assert rest_at(cache, "x2 = ¦\n") is None


def test_a_place_that_is_answered_again_is_used_anew() -> None:
    cache = SuggestionCache(size=2)
    for number in (1, 2, 1, 3):
        cache.put(URI, hole_of(f"x{number} = ¦\n"), CALL)
    assert rest_at(cache, "x1 = ¦\n")
    assert rest_at(cache, "x2 = ¦\n") is None


texts = st.text(alphabet="ab(\n", max_size=4)


@given(
    st.lists(
        st.tuples(texts, texts, st.text(alphabet="ab(\n", min_size=1, max_size=4)), min_size=1, max_size=6
    ),
    texts,
    texts,
)
def test_every_answer_leads_to_a_text_that_was_suggested(
    known: list[tuple[str, str, str]], before: str, after: str
) -> None:
    cache = SuggestionCache(size=4)
    for known_before, known_after, text in known:
        cache.put(URI, hole_of(f"{known_before}¦{known_after}"), Suggestion(text, 0.9))
    answer = cache.get(URI, hole_of(f"{before}¦{after}"))
    if answer is None:
        latest_before, latest_after, latest = known[-1]
        assert after != latest_after or before not in {
            latest_before + latest[:size] for size in range(len(latest)) if size == 0 or latest[size:].strip()
        }
        return
    assert answer.suggestion is not None
    assert answer.suggestion.text
    assert (before + answer.suggestion.text, after) in {(b + text, a) for b, a, text in known}
