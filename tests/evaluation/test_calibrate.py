import pytest
from writing_engine import WritingEngine

from dllm_lsp.evaluation.answers import Writer
from dllm_lsp.evaluation.calibrate import calibrate
from dllm_lsp.infill.hole import Hole
from dllm_lsp.training.files import SourceFile

REST = " = [1, 2, 3, 4]"
FILES = [
    SourceFile(f"{package}/a.py", "python", "".join(f"{package}_{n}{REST}\n" for n in range(200)))
    for package in ("one", "two", "three", "four")
]


def writer() -> Writer:
    """Knows how lines go on that have come to REST, and is unsure of all others."""

    def text(hole: Hole) -> str:
        head = hole.before.rpartition("\n")[2]
        typed = max(count for count in range(len(REST)) if head.endswith(REST[:count]))
        return REST[typed:] if typed else "a or b or c or d or e"

    return Writer(WritingEngine(text))  # type: ignore[arg-type]


def test_one_half_of_the_packages_is_fitted_on_and_the_other_reported_on() -> None:
    found = calibrate(writer(), FILES, seed=0, limit=300)
    assert (found.fitted_on, found.reported_on) == (["four", "three"], ["one", "two"])
    assert len(found.answers) == 300
    assert {answer.name.partition("/")[0] for answer in found.answers} == {"one", "two"}
    assert 0 <= found.error <= 1
    assert sum(b.count for b in found.bins) == sum(answer.text is not None for answer in found.answers)
    printed = str(found)
    assert "| fitted on | four, three |" in printed
    assert "| confidence gate | 0.0 |" in printed


@pytest.mark.parametrize("files", [FILES[:1], [*FILES[:1], SourceFile("b/a.py", "python", "\n")]])
def test_one_package_is_too_few(files: list[SourceFile]) -> None:
    with pytest.raises(ValueError, match="two packages"):
        calibrate(writer(), files, seed=0, limit=10)
