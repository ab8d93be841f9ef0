from __future__ import annotations

import pytest
from marked import hole_of

from dllm_lsp.suggest.lines import extent_at


@pytest.mark.parametrize(
    ("marked", "language", "auto", "many"),
    [
        ("def f():\n    ¦\n", "python", "block", "block"),
        ("def f():\n¦\n", "python", "block", "block"),
        ("¦", "python", "block", "block"),
        ("def f():¦\n", "python", "block", "block"),
        ("def f():  ¦  \n", "python", "block", "block"),
        ("x = [¦\n", "python", "block", "block"),
        ("x = {¦}\n", "python", "block", "block"),
        ("x = 1¦\n", "python", "line", "block"),
        ("def f(¦)\n", "python", "line", "block"),
        ("x = f('¦')\n", "python", "line", "block"),
        ("x = f(¦, 1)\n", "python", "line", "line"),
        ("    ¦x = 1\n", "python", "line", "line"),
        ("if a¦:\n    b\n", "python", "line", "line"),
        ("function f() {¦}\n", "javascript", "block", "block"),
        ("function f() {¦\n}\n", "javascript", "block", "block"),
        ("case 1:¦\n", "javascript", "line", "block"),
    ],
)
def test_several_lines_are_for_open_blocks_and_empty_lines(
    marked: str, language: str, auto: str, many: str
) -> None:
    hole = hole_of(marked, language)
    assert (extent_at(hole, "auto"), extent_at(hole, "many")) == (auto, many)
    assert extent_at(hole, "one") == "line"
