import gzip
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec import json

from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.human_eval import read_human_eval
from dllm_lsp.evaluation.sandbox import passes

DATA = os.environ.get("DLLM_LSP_BENCHMARKS", "")
TASK = {
    "task_id": "SingleLineInfilling/HumanEval/0/L0",
    "entry_point": "twice",
    "prompt": "def twice(x):\n",
    "canonical_solution": "    y = 2 * x\n",
    "suffix": "    return y\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


def passing(case: Case, text: str) -> bool:
    return passes((case.before + text + case.after, *case.program))


def read(tmp_path: Path, *tasks: dict[str, str]) -> list[Case]:
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(b"".join(json.encode(task) + b"\n" for task in tasks))
    return read_human_eval(path)


def test_a_line_is_written_on_an_empty_line(tmp_path: Path) -> None:
    [case] = read(tmp_path, TASK)
    assert (case.before, case.truth, case.after) == ("def twice(x):\n", "    y = 2 * x", "\n    return y\n")
    assert (case.name, case.kind, case.one_line) == (TASK["task_id"], "SingleLineInfilling", True)


def test_a_span_is_taken_as_it_is(tmp_path: Path) -> None:
    span = TASK | {
        "task_id": "RandomSpanInfilling/HumanEval/0/1",
        "prompt": "def twice(x):\n    y =",
        "canonical_solution": " 2 * x\n",
    }
    [case] = read(tmp_path, span)
    assert (case.truth, case.after, case.one_line) == (" 2 * x\n", "    return y\n", False)
    assert passing(case, case.truth)


def test_the_tests_tell_right_from_wrong(tmp_path: Path) -> None:
    [case] = read(tmp_path, TASK)
    assert passing(case, case.truth)
    assert passing(case, "    y = x + x")
    assert not passing(case, "    y = x")
    assert not passing(case, "")
    assert not passing(case, "    import os; os._exit(0)")


def test_compressed_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl.gz"
    path.write_bytes(gzip.compress(json.encode(TASK)))
    assert [case.name for case in read_human_eval(path)] == [TASK["task_id"]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"", "no cases"),
        ("a.jsonl", b"{}\n", "not a file of HumanEval"),
        ("a.jsonl", b"\x00\xff", "not a file of HumanEval"),
        ("a.jsonl.gz", b"no gzip", "not a file of HumanEval"),
        ("a.jsonl.gz", gzip.compress(b"{}")[:-4], "not a file of HumanEval"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_human_eval(tmp_path / name)


@pytest.mark.skipif(not DATA, reason="DLLM_LSP_BENCHMARKS names no folder with the benchmark's files")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("name", "cases", "floor"), [("SingleLineInfilling", 1033, 27), ("RandomSpanInfillingLight", 164, 0)]
)
def test_the_truth_passes_and_nothing_at_all_seldom_does(name: str, cases: int, floor: int) -> None:
    found = read_human_eval(Path(DATA) / f"HumanEval-{name}.jsonl.gz")
    assert len(found) == cases
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        assert all(pool.map(lambda case: passing(case, case.truth), found))
        assert sum(pool.map(lambda case: passing(case, ""), found)) == floor
