from collections import Counter
from itertools import islice

import pytest

from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.holes import KINDS, TYPED, cut_holes
from dllm_lsp.training.files import SourceFile

PYTHON = '''\
import os


def café(path, limit=10):
    """A docstring."""
    with open(path, "é", errors=f(x)) as file:
        first = file.read(limit)  
        if first:
            return first

    return os.path.join("a",
        "b")
'''
FILES = [
    SourceFile("a.py", "python", PYTHON),
    SourceFile("b.js", "javascript", "x;\nf(y)"),
    SourceFile("empty.py", "python", "\n"),
]


def holes(*kinds: str, count: int = 200, seed: int = 0, files: list[SourceFile] = FILES) -> list[Case]:
    return list(islice(cut_holes(files, seed, kinds or KINDS), count))


def test_holes_are_a_function_of_the_seed() -> None:
    assert holes() == holes()
    assert holes() != holes(seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_truth_is_taken_away(kind: str) -> None:
    for case in holes(kind):
        [file] = [file for file in FILES if case.name.startswith(file.path)]
        assert case.truth == case.truth.strip() or kind == "rest-of-line"
        assert case.truth.strip()
        whole = case.before + case.truth + case.after
        assert whole.split() == file.text.split()
        assert whole.count("\n") == file.text.count("\n")
        assert (case.kind, case.language, case.one_line) == (kind, file.language, kind != "block")
        row, column = case.name.split(":")[1:]
        assert (int(row), int(column)) == (case.snapshot.line + 1, case.snapshot.column + 1)


def test_the_rest_of_a_line_begins_inside_of_it() -> None:
    found = holes("rest-of-line")
    for case in found:
        head = case.before.rpartition("\n")[2]
        assert head.strip()
        assert "\n" not in case.truth
        assert case.after[:1] in ("", "\n")
    assert len({case.name for case in found}) > 60


def test_a_line_is_open_behind_its_indentation() -> None:
    found = holes("line")
    assert {case.truth for case in found} == {
        line.strip() for file in FILES for line in file.text.split("\n")
    } - {""}
    assert all(not case.before.rpartition("\n")[2].strip() for case in found)


def test_a_block_ends_before_the_indentation_does() -> None:
    found = Counter(case.truth for case in holes("block", files=FILES[:1]))
    assert found['with open(path, "é", errors=f(x)) as file:\n        first = file.read(limit)']
    assert found["if first:\n            return first"]
    assert all(2 <= truth.count("\n") + 1 <= 5 for truth in found)
    assert not any("return first\n" in truth for truth in found)


def test_what_is_typed_are_five_lines_and_the_break_before_them() -> None:
    found = holes(TYPED, files=FILES[:1])
    for case in found:
        assert case.before.rstrip(" ").endswith(("os", ":", '"""', ")", "first", '"a",')), "a whole line"
        assert case.truth.startswith("\n")
        assert 1 <= len([line for line in case.truth.split("\n") if line.strip()]) <= 5
        assert (case.before + case.truth + case.after).split() == PYTHON.split()
        assert not case.one_line
    assert any(case.truth.startswith("\n\n\ndef café") for case in found), "blank lines are typed, too"
    assert TYPED not in {case.kind for case in holes()}


def test_arguments_are_those_of_calls_in_one_line() -> None:
    found = {case.truth for case in holes("argument")}
    assert found == {"path", '"é"', "errors=f(x)", "x", "limit", '"a"', '"b"'}


def test_files_count_by_their_lines() -> None:
    names = Counter(case.name.partition(":")[0] for case in holes("line", count=400))
    assert names["a.py"] > 250
    assert names["b.js"] > 20
    assert not names["empty.py"]


@pytest.mark.parametrize("text", ["f(:", "\0", "f(" * 5000, "x = 1"])
def test_code_without_such_holes_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="no hole of the kinds argument"):
        holes("argument", files=[SourceFile("a.py", "python", text)])


@pytest.mark.parametrize("text", ["}", "  x", "\f\ny"])
def test_the_shortest_line_is_a_hole(text: str) -> None:
    assert len(holes("line", count=3, files=[SourceFile("a.py", "python", text)])) == 3


def test_holes_come_with_snippets_of_their_project_and_never_with_the_truth() -> None:
    calls = [f"return basket.{'redeem' if n % 10 == 0 else 'total'}({n})" for n in range(60)]
    long = "".join(f"def step_{n}(basket):\n    {call}\n\n" for n, call in enumerate(calls))
    files = [SourceFile("a.py", "python", long)]
    other = SourceFile("b.py", "python", "class Basket:\n    def redeem(self, voucher):\n        pass\n")
    found = [case.hole(300, 300, 9) for case in islice(cut_holes(files, 0, KINDS, [other]), 30)]
    assert any(other.text in hole.snippets for hole in found)
    for case, hole in zip(cut_holes(files, 0, KINDS, [other]), found, strict=False):
        line = case.before.count("\n")
        truth = set(range(line // 3, (line + case.truth.count("\n")) // 3 + 1))
        assert all(f"def step_{n}(" not in snippet for n in truth for snippet in hole.snippets)


def test_a_case_is_of_its_file_s_dialect() -> None:
    files = [
        SourceFile("a.tsx", "typescript", "const x = <p />;\n"),
        SourceFile("b.ts", "typescript", "const x = 1;\n"),
    ]
    cases = islice(cut_holes(files, 0, ("line",)), 20)
    assert {(case.path, case.language) for case in cases} == {
        ("a.tsx", "typescriptreact"),
        ("b.ts", "typescript"),
    }
