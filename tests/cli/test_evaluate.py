"""`dllm-lsp eval` from end to end, with a tiny model."""

import re
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
import torch
from msgspec import json
from test_calibrate import FILES, writer
from tiny_model import SOURCE, tiny_checkpoint

from dllm_lsp.cli.evaluate import EXTRA
from dllm_lsp.cli.main import main
from dllm_lsp.engine.calibration import read_calibration
from dllm_lsp.engine.engine import Engine
from dllm_lsp.evaluation.answers import Writer
from dllm_lsp.models.checkpoints.streams import save_streams

TASK = {
    "task_id": "SingleLineInfilling/HumanEval/{}/L0",
    "entry_point": "twice",
    "prompt": "def twice(x):\n",
    "canonical_solution": "    y = 2 * x\n",
    "suffix": "    return y\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}
BUG = {"name": "one", "buggy_program": "x = 2\ny = 1", "solution": "x = 1\ny = 1", "tests": "assert x == 1"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_streams(tmp_path / "model", *tiny_checkpoint(), torch.float32)
    return tmp_path / "model"


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, Path]:
    """What each evaluation reads."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "a.py").write_text(SOURCE)
    tasks = [TASK | {"task_id": TASK["task_id"].format(number)} for number in range(4)]
    (tmp_path / "tasks.jsonl").write_bytes(b"\n".join(map(json.encode, tasks)))
    (tmp_path / "bugs.jsonl").write_bytes(json.encode(BUG))
    (tmp_path / "corpus.jsonl").write_bytes(b"\n".join(map(json.encode, FILES)))
    return {
        "holes": code,
        "human-eval-infilling": tmp_path / "tasks.jsonl",
        "repair": tmp_path / "bugs.jsonl",
        "calibrate": tmp_path / "corpus.jsonl",
    }


def report(evaluation: str, path: Path, model: Path, *more: str) -> dict:
    to = model / "report.json"
    assert (
        main(["eval", evaluation, str(path), f"--model={model}", f"--json={to}", "--threads=1", *more]) == 0
    )
    return json.decode(to.read_bytes())


def untimed(answers: list[dict]) -> list[dict]:
    return [{**answer, "milliseconds": 0} for answer in answers]


def test_holes_are_filled_with_and_without_their_length(
    paths: dict[str, Path], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report("holes", paths["holes"], model, "--limit=20")
    printed = capsys.readouterr()
    assert "Length predicted:" in printed.out
    assert "True length given:" in printed.out
    assert "| cases | 20 |" in printed.out
    assert "| confidence gate | 0.0 |" in printed.out
    assert "20/20" in printed.err
    last = printed.out.splitlines()[-1]
    assert re.fullmatch(
        r"Of 20 holes, \d+% were filled with exactly what stood there\. At suggest\.confidence 0\.3, something is "
        r"shown at \d+% of the places on one line(, and \d+% of that is exactly right)?\.",
        last,
    )
    assert found["predicted"]["all"]["cases"] == len(found["answers"]) == 20
    for answer in found["answers_with_length"]:
        if answer["kind"] == "block" and answer["fits"]:
            assert answer["tokens"] == answer["true_tokens"]


def test_the_same_seed_gives_the_same_answers(paths: dict[str, Path], model: Path) -> None:
    first, again, other = (
        untimed(report("holes", paths["holes"], model, "--limit=10", f"--seed={seed}")["answers"])
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_only_the_kinds_asked_for_are_cut(paths: dict[str, Path], model: Path) -> None:
    found = report("holes", paths["holes"], model, "--limit=6", "--kind=line", "--kind=argument")
    assert {answer["kind"] for answer in found["answers"]} == {"line", "argument"}
    assert set(found["predicted"]) == {"all", "line", "argument"}


def test_an_effort_is_that_asked_for(paths: dict[str, Path], model: Path) -> None:
    found = report("holes", paths["holes"], model, "--limit=6", "--effort=instant")
    assert max(answer["steps"] for answer in found["answers"]) <= 2


@pytest.mark.parametrize(("half", "numbers"), [("all", "0123"), ("even", "02"), ("odd", "13")])
def test_a_benchmark_is_run_by_halves(
    half: str, numbers: str, paths: dict[str, Path], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report("human-eval-infilling", paths["human-eval-infilling"], model, f"--cases={half}")
    assert [answer["name"].split("/")[2] for answer in found["answers"]] == list(numbers)
    assert all(answer["passed"] is False for answer in found["answers"])
    assert "| pass@1 | 0.0% |" in capsys.readouterr().out


def test_bugs_are_looked_for(paths: dict[str, Path], model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = report("repair", paths["repair"], model)
    assert found["found_by_chance"] == [0.5, 1.0]
    assert found["found"][1] == 1
    assert "| programs | 1 |" in capsys.readouterr().out


def test_a_calibration_is_written_into_the_checkpoint_and_used(
    paths: dict[str, Path], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Writer, "load", lambda *_, **__: writer())
    drawing = tmp_path / "reliability.svg"
    found = report("calibrate", paths["calibrate"], model, "--limit=100", f"--diagram={drawing}")
    calibration = read_calibration(model)
    assert found["calibration"] == msgspec.to_builtins(calibration["python"])
    assert Engine.load(str(model), "cpu", 1).calibration == calibration
    assert drawing.read_text().startswith("<svg")


def test_a_folder_is_typed(
    paths: dict[str, Path],
    model: Path,
    server_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in server_environment.items():
        monkeypatch.setenv(name, value)
    to = model / "report.json"
    arguments = ["eval", "typing", str(paths["holes"]), f"--model={model}", f"--json={to}", "--limit=1"]
    assert main([*arguments, "--cases=odd", "--words", "--set=engine.linger=1"]) == 0
    printed = capsys.readouterr()
    assert "| texts typed | 1 |" in printed.out
    assert "| keys saved |" in printed.out
    found = json.decode(to.read_bytes())
    [text] = found["typed"]
    assert text["name"].startswith("a.py:")
    assert found["figures"]["python"]["keys"] == text["keys"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["holes", "{nowhere}"], "there is no file or folder"),
        (["human-eval-infilling", "{nowhere}"], "there is no file or folder"),
        (["typing", "{nowhere}"], "there is no file or folder"),
        (["typing", "{repair}"], "not a folder"),
        (["typing", "{model}"], "no code that somebody has typed"),
        (["holes", "{holes}", "--model={nowhere}"], "nowhere"),
        (["holes", "{model}"], "no python code"),
        (["human-eval-infilling", "{repair}"], "not a file of HumanEval"),
        (["human-eval-infilling", "{holes}"], "directory"),
        (["repair", "{human-eval-infilling}"], "not a file of QuixBugs"),
        (["calibrate", "{holes}"], "two packages"),
        (["calibrate", "{calibrate}", "--limit=10"], "nothing to learn"),
        (
            ["human-eval-infilling", "{human-eval-infilling}", "--cases=odd", "--limit=1", "--json={holes}"],
            "directory",
        ),
    ],
)
def test_bad_input_is_told(
    paths: dict[str, Path],
    model: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"nowhere": model / "nowhere", "model": model, **paths}
    given = [argument.format(**names) for argument in arguments]
    if not any(argument.startswith("--model") for argument in given):
        given.append(f"--model={model}")
    assert main(["eval", *given]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("dllm-lsp: ")
    assert message in last
    assert "Errno" not in last


@pytest.mark.parametrize("missing", [{"psutil"}, {"psutil", "rapidfuzz"}])
def test_what_is_not_installed_is_told_before_anything_else(
    missing: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dllm_lsp.cli.evaluate.find_spec", lambda name: None if name in missing else name)
    monkeypatch.setattr(
        sys.modules["dllm_lsp.cli.main"], "have", lambda model: pytest.fail("a model is looked for")
    )
    assert main(["eval", "holes", "/nope"]) == 1
    names = " and ".join(sorted(missing))
    assert capsys.readouterr().err == f"dllm-lsp: eval needs {names}: pip install 'dllm-lsp[eval]'\n"


def test_what_is_looked_for_is_the_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["eval"]
    assert sorted(re.split(r"[^\w-]", each)[0] for each in extra) == sorted(EXTRA)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["holes"],
        ["holes", "x", "--limit=0"],
        ["repair", "x", "--effort=much"],
        ["typing", "x", "--cases=some"],
    ],
)
def test_bad_usage_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["eval", *arguments])
    assert ended.value.code == 2
    assert "usage: dllm-lsp eval" in capsys.readouterr().err
