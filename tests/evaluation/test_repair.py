import pytest
from tiny_model import tiny_checkpoint
from writing_engine import WritingEngine

from dllm_lsp.evaluation import repair
from dllm_lsp.evaluation.answers import Writer
from dllm_lsp.evaluation.quixbugs import Bug
from dllm_lsp.evaluation.repair import RepairReport, repair_report

PROGRAM = (
    "def total(xs):",
    "    found = 0",
    "    for x in xs:",
    "        found -= x",
    "",
    "    return found",
)
BUG = Bug("total", PROGRAM, 3, 4, "        found += x", "assert total([1, 2]) == 3")


def report(monkeypatch: pytest.MonkeyPatch, surprises: list[float], written: str) -> RepairReport:
    monkeypatch.setattr(repair, "line_surprises", lambda *_: surprises)
    writer = Writer(WritingEngine(lambda hole: written))  # type: ignore[arg-type]
    return repair_report(writer, tiny_checkpoint(), [BUG])


def test_a_wrong_line_that_surprises_most_is_found_and_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(monkeypatch, [1, 2, 3, 4, 9, 0], "found += x")
    assert found.found == (1, 1)
    assert found.by_itself == 1
    assert found.figures["length predicted"].passed == 1
    assert found.figures["true length given"].exact == 1
    assert "| wrong line among the 3 most surprising | 100.0% | 60.0% |" in str(found)


def test_a_wrong_line_that_surprises_little_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(monkeypatch, [5, 4, 3, 3.5, 9, 0], "found += x")
    assert found.found == (0, 1)
    assert found.by_itself == 0
    assert found.figures["length predicted"].passed == 1
    assert [r.rank for r in found.repairs] == [2]


def test_what_is_found_by_chance_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert report(monkeypatch, [0] * 6, "x").found_by_chance == pytest.approx((1 / 5, 3 / 5))
    assert report(monkeypatch, [0] * 6, "x").figures["length predicted"].passed == 0
