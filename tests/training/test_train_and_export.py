"""The commands that make the bundled model, at a tiny size: train, take up again, export, load, use."""

import math
from pathlib import Path

import pytest
import torch
from clock import Clock
from msgspec import json
from safetensors.torch import load_file
from tiny_model import SOURCE

from dllm_lsp.engine.engine import Engine
from dllm_lsp.models.checkpoint import load_checkpoint
from dllm_lsp.training import command, export, trainer
from dllm_lsp.training.files import SourceFile
from dllm_lsp.worker.messages import Hole, Limits

pytestmark = pytest.mark.usefixtures("own_signals")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name in ("train", "heldout"):
        files = [SourceFile(f"{name}{number}.py", "python", SOURCE) for number in range(3)]
        (folder / f"{name}.jsonl").write_bytes(b"".join(json.encode(file) + b"\n" for file in files))
    return folder


def train(corpus: Path, run: Path, seconds: float) -> None:
    command.main(
        [f"--corpus={corpus}", f"--run={run}", "--preset=tiny", f"--seconds={seconds}", "--threads=1"]
    )


def test_a_model_is_trained_exported_and_used(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, model = tmp_path / "run", tmp_path / "model"
    monkeypatch.setattr(trainer, "time", Clock())
    train(corpus, run, seconds=30)
    losses = [json.decode(line)["heldout_next"] for line in (run / "log.jsonl").read_bytes().splitlines()]
    assert losses[-1] < losses[0] < math.log(512) + 0.5

    size = export.export(run, model)
    assert size == sum(file.stat().st_size for file in model.iterdir())
    state = load_file(run / "state.safetensors")
    loaded, _ = load_checkpoint(model, torch.device("cpu"))
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, state[f"model.{name}"].half().float(), rtol=0, atol=0)

    engine = Engine.load(str(model), "cpu", 1)
    drafts = list(engine.infill("a.py", Hole("import ", "\n", "python"), Limits(milliseconds=math.inf)))
    assert all(piece.text is not None for piece in drafts[-1][1])


def test_a_run_is_taken_up_with_its_own_configuration(tmp_path: Path, corpus: Path) -> None:
    run = tmp_path / "run"
    train(corpus, run, seconds=0.01)
    config = (run / "config.json").read_bytes()
    tokenizer = (run / "tokenizer.json").read_bytes()
    train(corpus, run, seconds=1000)
    assert (run / "config.json").read_bytes() == config
    assert (run / "tokenizer.json").read_bytes() == tokenizer


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus/train.jsonl", None, "No such file.*train.jsonl"),
        ("corpus/train.jsonl", "{}", "train.jsonl is not a corpus file"),
        ("corpus/train.jsonl", "", "no source files"),
        ("corpus/heldout.jsonl", "", "no source files"),
        ("run/config.json", "{}", "config.json"),
        ("run/config.json", "x", "config.json"),
        ("run/tokenizer.json", "x", "tokenizer.json is not a tokenizer file"),
        ("run/state.safetensors", "x", "state.safetensors cannot be read"),
    ],
)
def test_bad_input_is_told(
    tmp_path: Path, corpus: Path, name: str, content: str | None, message: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(SystemExit, match=message):
        train(corpus, tmp_path / "run", seconds=0.01)


@pytest.mark.parametrize("name", ["config.json", "state.safetensors", "tokenizer.json"])
def test_a_run_that_cannot_be_exported_is_told(tmp_path: Path, corpus: Path, name: str) -> None:
    run = tmp_path / "run"
    train(corpus, run, seconds=0.01)
    for broken in ("x", None):
        (run / name).write_text(broken) if broken else (run / name).unlink()
        with pytest.raises(SystemExit, match=name):
            export.main([f"--run={run}", f"--to={tmp_path / 'model'}"])
