"""`scripts/evaluate` from end to end, with a tiny model."""

from pathlib import Path

import pytest
import torch
from msgspec import json
from tiny_model import SOURCE, tiny_checkpoint

from dllm_lsp.evaluation import infilling
from dllm_lsp.models.checkpoint import save_checkpoint


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "model", *tiny_checkpoint(), torch.float32)
    return tmp_path / "model"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text(SOURCE)
    return tmp_path / "code"


def evaluate(source: Path, model: Path, report: Path, *more: str) -> dict:
    infilling.main([str(source), f"--model={model}", "--limit=20", "--threads=1", f"--json={report}", *more])
    return json.decode(report.read_bytes())


def untimed(answers: list[dict]) -> list[dict]:
    return [{**answer, "milliseconds": 0} for answer in answers]


def test_figures_are_printed_and_written(
    source: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = evaluate(source, model, tmp_path / "report.json")
    printed = capsys.readouterr()
    assert "| places | 20 |" in printed.out
    assert "| confidence gate | 0.0 |" in printed.out
    assert "20/20" in printed.err
    assert report["figures"]["all"]["places"] == len(report["answers"]) == 20
    kinds = [answer["kind"] for answer in report["answers"]]
    assert {kind: report["figures"][kind]["places"] for kind in set(kinds)} == {
        kind: kinds.count(kind) for kind in set(kinds)
    }
    assert len(report["gates"]) == 10


def test_the_same_seed_gives_the_same_answers(source: Path, model: Path, tmp_path: Path) -> None:
    first, again, other = (
        evaluate(source, model, tmp_path / "report.json", f"--seed={seed}")["answers"] for seed in (0, 0, 1)
    )
    assert untimed(first) == untimed(again) != untimed(other)


def test_policy_and_passes_are_those_asked_for(source: Path, model: Path, tmp_path: Path) -> None:
    once = evaluate(source, model, tmp_path / "report.json", "--passes=1")["answers"]
    assert {answer["steps"] for answer in once} == {1}
    sequential = evaluate(source, model, tmp_path / "report.json", "--policy=sequential")["answers"]
    assert all(answer["steps"] >= answer["tokens"] for answer in sequential)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{nowhere}"], "nowhere"),
        (["{source}", "--model={nowhere}"], "no folder"),
        (["{model}"], "no Python code"),
    ],
)
def test_bad_input_is_told(
    source: Path, model: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    names = {"nowhere": tmp_path / "nowhere", "source": source, "model": model}
    with pytest.raises(SystemExit, match=f"evaluate: .*{message}"):
        infilling.main([argument.format(**names) for argument in arguments])


@pytest.mark.parametrize("argument", ["--limit=0", "--passes=-1", "--limit=many", "--policy=none"])
def test_bad_usage_is_told(source: Path, argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        infilling.main([str(source), argument])
    assert ended.value.code == 2
    assert argument.partition("=")[0] in capsys.readouterr().err
