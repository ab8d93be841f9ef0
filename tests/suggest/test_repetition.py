from __future__ import annotations

import pytest

from dllm_lsp.suggest.repetition import is_stuck, without_repeated_line


@pytest.mark.parametrize(
    "text", ["foo foo foo foo ", "x = foo foo foo foo fo", "aaaaaaaaaaaa", "self.self.self.self."]
)
def test_four_copies_at_the_end_are_stuck(text: str) -> None:
    assert is_stuck(text)


@pytest.mark.parametrize(
    "text", ["", "foo foo foo", "[0, 0, 0, 0, 0, 0, 0]", "# ----------------", "x.append(x)"]
)
def test_code_and_data_are_not(text: str) -> None:
    assert not is_stuck(text)


@pytest.mark.parametrize(
    ("head", "text", "kept"),
    [
        ("    ", "x = 1\n    x = 1\n    x = 1", "x = 1"),
        ("", "\n    x = 1\n    x = 1  \n", "\n    x = 1"),
        ("x ", "= 1\nx = 1", "= 1"),
        ("x ", "= 1\n= 1", "= 1\n= 1"),
        ("", "x = 1\n\n\n    x = 1", "x = 1\n\n\n    x = 1"),
    ],
)
def test_a_line_that_is_written_again_ends_the_text(head: str, text: str, kept: str) -> None:
    assert without_repeated_line(text, head) == kept
