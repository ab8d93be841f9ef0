import json
from pathlib import Path

import pytest
from msgspec import json as msgspec_json
from tiny_base import FILE
from tiny_checkpoints import write_base

from dllm_lsp.cli import main
from dllm_lsp.training.adaptation.command import adapt
from dllm_lsp.training.adaptation.config import AdaptationConfig
from dllm_lsp.training.adaptation.windows import WindowConfig

CONFIG = AdaptationConfig(
    seconds=1.5,
    rank=2,
    report_seconds=0.5,
    places=3,
    heldout_windows=1,
    window=WindowConfig(lines=3, holes=2),
)


def test_an_adapter_is_trained_scored_and_taken_up_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny").mkdir()
    write_base(tmp_path / "tiny", head_dim=8)
    for name in ("train", "heldout"):
        (tmp_path / f"{name}.jsonl").write_bytes(msgspec_json.encode(FILE) + b"\n")
    adapt(tmp_path / "tiny", tmp_path, tmp_path / "run", CONFIG)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["exact"].keys() == {"rest_of_line", "line"}
    assert lines[-1]["heldout"]["clean"] > 0
    assert any("training" in line for line in lines)
    assert len(lines[0]["processors"]) == 1
    assert "1 files" in capsys.readouterr().out
    adapt(tmp_path / "tiny", tmp_path, tmp_path / "run", CONFIG)
    assert "of 2 s done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("base", "message"), [("x", "x"), ("smollm2-135m", "dllm-lsp models get smollm2-135m")]
)
def test_what_is_no_base_is_refused(
    tmp_path: Path,
    base: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--corpus", ".", "--run", "run", "--base", base]) != 0
    assert message in capsys.readouterr().err
