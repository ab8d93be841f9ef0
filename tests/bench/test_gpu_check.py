"""`scripts/gpu_check --tiny`: all of it on a CPU."""

from pathlib import Path

import pytest
from msgspec import json
from tiny_model import tiny_checkpoint

from bench import gpu_check, gpu_paths
from bench.gpu_check import PARTS, TITLES
from dllm_lsp.models.checkpoints.streams import save_streams


@pytest.fixture(autouse=True)
def _tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_streams(tmp_path / "model", *tiny_checkpoint(), dtype=gpu_paths.torch.float32)
    monkeypatch.setattr(gpu_paths, "BUNDLED", tmp_path / "model")


def check(out: Path, *parts: str) -> int:
    with pytest.raises(SystemExit) as ended:
        gpu_check.main(["--tiny", f"--out={out}", *(f"--part={part}" for part in parts)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def rows(out: Path, part: str) -> list[dict]:
    return json.decode((out / f"{part}.json").read_bytes())["rows"]


@pytest.mark.timeout(400)
def test_every_part_runs_and_has_its_table(tmp_path: Path) -> None:
    assert check(tmp_path) == 0
    report = (tmp_path / "report.md").read_text()
    assert TITLES.keys() == PARTS.keys()
    assert all(f"## {title}" in report for title in TITLES.values())
    assert all(row["right"] for row in rows(tmp_path, "paths"))
    assert {row["precision"] for row in rows(tmp_path, "steps")} == {"bf16", "int8", "fp8"}
    assert all(row["ms"] > 0 for part in ("steps", "naive", "compiled") for row in rows(tmp_path, part))
    assert {row["tokens a pass"] for row in rows(tmp_path, "suggestions")} == {1, 2, 3}


def test_a_part_that_fails_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scale: object) -> list:
        raise RuntimeError("out of registers")

    monkeypatch.setitem(PARTS, "steps", broken)
    assert check(tmp_path, "steps", "floor") == 1
    report = (tmp_path / "report.md").read_text()
    assert "out of registers" in report
    assert len(rows(tmp_path, "floor")) == 3


def test_a_wrong_path_is_told_by_the_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gpu_paths.MOST, "int8", 1e-9)
    assert check(tmp_path, "paths") == 1
    wrong = {row["path"] for row in rows(tmp_path, "paths") if not row["right"]}
    assert wrong == {"bundled model, int8", "small Dream, cached passes, int8", "small adapted base, int8"}


def test_a_later_run_adds_its_part(tmp_path: Path) -> None:
    assert check(tmp_path, "floor") == check(tmp_path, "naive") == 0
    report = (tmp_path / "report.md").read_text()
    assert TITLES["floor"] in report
    assert TITLES["naive"] in report


def test_without_a_gpu_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_check.torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no NVIDIA GPU"):
        gpu_check.main([f"--out={tmp_path}"])
