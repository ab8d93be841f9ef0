import pytest

from dllm_lsp.engine.lookup import Lookup


def test_what_followed_the_last_tokens_is_returned() -> None:
    lookup = Lookup([(1, 2, 3, 4, 5), (9, 1, 2)])
    assert lookup.after((), 2) == (3, 4)
    assert lookup.after((3,), 9) == (4, 5)
    assert lookup.after((5,), 9) == ()


def test_where_more_of_the_last_tokens_agree_counts_first() -> None:
    lookup = Lookup([(7, 2, 3), (8, 2, 4), (7,)])
    assert lookup.after((2,), 1) == (3,)


@pytest.mark.parametrize(
    ("texts", "expected"), [([(2, 3), (2, 4), (2,)], 4), ([(2, 4), (2, 3), (2,)], 3), ([(2, 3, 2, 4, 2)], 4)]
)
def test_of_places_that_agree_alike_the_last_counts(texts: list[tuple[int, ...]], expected: int) -> None:
    assert Lookup(texts).after((), 1) == (expected,)


def test_nothing_is_found_in_nothing() -> None:
    assert Lookup([()]).after((), 3) == ()
    assert Lookup([(), (1,)]).after((1, 1), 3) == ()
