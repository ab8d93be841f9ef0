from __future__ import annotations

import pytest

from dllm_lsp.syntax.judgment import Verdict
from dllm_lsp.syntax.python import judge


@pytest.mark.parametrize(
    "source",
    ["", "x = 1", "class A:\n    def f(self):\n        return 1", "await x", "return 1", "x = '\\d'"],
)
def test_complete(source: str) -> None:
    assert judge(source).verdict is Verdict.COMPLETE


@pytest.mark.parametrize(
    "source",
    [
        "f(",
        "if x:",
        "try:\n    f()",
        '"""text',
        "@cached",
        "x = [1,\n2",
        "x = 1 + \\",
        "match x:\n    case 1:",
    ],
)
def test_incomplete(source: str) -> None:
    assert judge(source).verdict is Verdict.INCOMPLETE


@pytest.mark.parametrize(
    "source", ["x = ", "f)", "if x", "f'{x}}'", "1 = x", "if 1:\n    x\n  y", "x\0y", "(" * 4000]
)
def test_invalid(source: str) -> None:
    assert judge(source).verdict is Verdict.INVALID


def test_the_end_of_the_error_is_told() -> None:
    judgment = judge("x = 1\ny = f(a b) + 1")
    assert (judgment.line, judgment.column) == (2, 10)


@pytest.mark.parametrize(
    "source", ["-" * 4000 + "1", "not " * 2000 + "x", "f(" * 190, "x if y else " * 2000 + "z"]
)
def test_deep_nesting_is_judged_without_a_crash(source: str) -> None:
    assert judge(source).verdict in Verdict


def test_warnings_of_the_code_are_not_shown(recwarn: pytest.WarningsRecorder) -> None:
    judge("x = 1if 1else 2\ny = '\\d'")
    assert not recwarn.list
