from __future__ import annotations

import pytest

from dllm_lsp.suggest.repetition import is_stuck


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
