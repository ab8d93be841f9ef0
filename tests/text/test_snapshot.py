from __future__ import annotations

import pytest
from marked import snapshot_of


@pytest.mark.parametrize(
    ("marked", "line_end"),
    [
        ("a¦\nb\r\n", "\n"),
        ("a\nb¦\r\n", "\r\n"),
        ("a\r\nb\r\n¦", "\r\n"),
        ("a\rb¦\rc", "\r"),
        ("a¦", "\n"),
        ("¦", "\n"),
    ],
)
def test_the_line_end_is_that_of_the_line_or_of_the_one_above(marked: str, line_end: str) -> None:
    assert snapshot_of(marked).line_end == line_end
