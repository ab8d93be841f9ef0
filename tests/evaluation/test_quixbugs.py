import os
from pathlib import Path

import pytest
from msgspec import json

from dllm_lsp.evaluation.quixbugs import Bug, read_quixbugs
from dllm_lsp.evaluation.sandbox import passes

DATA = os.environ.get("DLLM_LSP_BENCHMARKS", "")
TASK = {
    "name": "total",
    "buggy_program": (
        "# Python 3\ndef total(xs):\n    found = 0\n    for x in xs:\n        found -= x\n    return found"
    ),
    "solution": "def total(xs):\n    found = 0\n    for x in xs:\n        found += x\n    return found",
    "tests": "assert total([1, 2]) == 3",
}


def read(tmp_path: Path, **changes: str) -> Bug:
    path = tmp_path / "bugs.jsonl"
    path.write_bytes(json.encode(TASK | changes) + b"\n")
    [bug] = read_quixbugs(path)
    return bug


def test_the_wrong_line_is_found_and_comments_are_not(tmp_path: Path) -> None:
    bug = read(tmp_path)
    assert (bug.start, bug.end, bug.right) == (4, 5, "        found += x")
    assert bug.guilty == {4}
    assert bug.code_lines == [0, 1, 2, 3, 4, 5]


def test_the_hole_is_where_the_wrong_line_was(tmp_path: Path) -> None:
    case = read(tmp_path).case
    assert case.before.endswith("    for x in xs:\n        ")
    assert (case.truth, case.after) == ("found += x", "\n    return found")
    assert passes((case.before + case.truth + case.after, *case.program))
    assert not passes((case.before + "found -= x" + case.after, *case.program))


def test_a_missing_line_belongs_before_the_next(tmp_path: Path) -> None:
    bug = read(
        tmp_path,
        buggy_program=TASK["buggy_program"]
        .replace("        found -= x", "        pass")
        .replace("    found = 0\n", ""),
        solution=TASK["solution"].replace("        found += x", "        pass"),
    )
    assert (bug.start, bug.end, bug.guilty) == (2, 2, {1, 2})
    assert bug.case.before == "# Python 3\ndef total(xs):\n    "
    assert (bug.case.truth, bug.case.after) == (
        "found = 0",
        "\n    for x in xs:\n        pass\n    return found",
    )


def test_a_line_may_be_missing_at_the_end(tmp_path: Path) -> None:
    bug = read(tmp_path, solution="def f(): pass\n\nf()", buggy_program="def f(): pass\n")
    assert bug.case.before + bug.case.truth + bug.case.after == "def f(): pass\n\nf()"
    assert bug.guilty == {0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no programs"),
        (b"{}", "not a file of QuixBugs"),
        (json.encode(TASK | {"buggy_program": "# nothing\n"}), "holds no code"),
        (json.encode(TASK | {"solution": TASK["buggy_program"]}), "in 0 places"),
        (
            json.encode(
                TASK
                | {"solution": "def total(xs):\n    pass\n    for x in xs:\n        pass\n    return found"}
            ),
            "in 2 places",
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bugs.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_quixbugs(tmp_path / "bugs.jsonl")


@pytest.mark.skipif(not DATA, reason="DLLM_LSP_BENCHMARKS names no folder with the benchmark's files")
@pytest.mark.timeout(1800)
def test_every_solution_passes_and_no_buggy_program_does() -> None:
    bugs = read_quixbugs(Path(DATA) / "quixbugs_python.jsonl")
    assert len(bugs) == 40
    for bug in bugs:
        case = bug.case
        assert passes((case.before + case.truth + case.after, *case.program)), bug.name
        assert not passes(("\n".join(bug.lines), *case.program)), bug.name
