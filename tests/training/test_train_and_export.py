"""The commands that make the bundled model, at a tiny size: train, take up again, export, load, use."""

import math
import re
from pathlib import Path

import pytest
import torch
from clock import Clock
from msgspec import json
from safetensors.torch import load_file
from tiny_model import SOURCE

from dllm_lsp.cli import main
from dllm_lsp.engine.engine import Engine
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.training import export, trainer
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.snippets import SnippetTable


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name in ("train", "heldout"):
        files = [SourceFile(f"p==1/{name}{number}.py", "python", SOURCE, "p==1") for number in range(3)]
        SnippetTable.build(files).save(folder / f"{name}.snippets.npz")
        (folder / f"{name}.jsonl").write_bytes(b"".join(json.encode(file) + b"\n" for file in files))
    return folder


def train(corpus: Path, run: Path, seconds: float, *more: str) -> int:
    arguments = [f"--corpus={corpus}", f"--run={run}", "--preset=tiny", f"--seconds={seconds}"]
    return main(["train", *arguments, "--threads=1", *more])


def test_a_model_is_trained_exported_and_used(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, model = tmp_path / "run", tmp_path / "model"
    monkeypatch.setattr(trainer, "time", Clock())
    assert train(corpus, run, seconds=30) == 0
    losses = [json.decode(line)["heldout_next"] for line in (run / "log.jsonl").read_bytes().splitlines()]
    assert losses[-1] < losses[0] < math.log(512) + 0.5

    size = export.export(run, model)
    assert size == sum(file.stat().st_size for file in model.iterdir())
    state = load_file(run / "state.safetensors")
    loaded, _ = load_checkpoint(model, torch.device("cpu"))
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, state[f"model.{name}"].half().float(), rtol=0, atol=0)

    engine = Engine.load(str(model), "cpu", 1)
    hole, limits = Hole("import ", "\n", "python"), Limits(milliseconds=math.inf)
    drafts = list(engine.infill("a.py", hole, limits))
    assert all(piece.text is not None for piece in drafts[-1].pieces)


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
        ("corpus/train.jsonl", None, "there is no corpus file .*train.jsonl"),
        ("corpus/train.jsonl", "{}", "train.jsonl is not a corpus file"),
        ("corpus/train.jsonl", "", "train.snippets.npz belongs to another corpus"),
        ("corpus/heldout.jsonl", "", "heldout.snippets.npz belongs to another corpus"),
        ("corpus/train.snippets.npz", None, "train.snippets.npz: No such file"),
        ("corpus/train.snippets.npz", "x", "train.snippets.npz is no table of snippets"),
        ("run/config.json", "{}", "config.json"),
        ("run/config.json", "x", "config.json"),
        ("run/tokenizer.json", "x", "tokenizer.json is not a tokenizer file"),
        ("run/state.safetensors", "x", "state.safetensors cannot be read"),
    ],
)
def test_bad_input_is_told(
    tmp_path: Path,
    corpus: Path,
    name: str,
    content: str | None,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    assert train(corpus, tmp_path / "run", seconds=0.01) == 1
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus=x"], "--corpus needs --run"),
        (["--corpus=x", "--run={folder}/run"], "there is no folder x"),
        (
            ["--corpus={folder}", "--run={folder}/run", "--preset=huge"],
            'no preset "huge", but tiny, small, base',
        ),
        (["--corpus={folder}", "--run={folder}/run", "--from=nowhere"], "no folder nowhere"),
    ],
)
def test_wrong_usage_is_told(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *(argument.format(folder=tmp_path) for argument in arguments)]) == 1
    assert message in capsys.readouterr().err


def test_a_run_can_begin_with_another_ones_model(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, model = tmp_path / "first", tmp_path / "second", tmp_path / "model"
    train(corpus, first, 0.01)
    export.export(first, model)
    assert train(corpus, second, 0.01, f"--from={model}") == 0
    weights, begun = (load_file(run / "state.safetensors") for run in (first, second))
    name = "model.transformer.embedding.weight"
    moved, initial = (begun[name] - weights[name]).abs().max(), weights[name].std()
    assert moved < 0.5 * initial  # at most one step from float16 weights, not another random start
    assert (first / "tokenizer.json").read_bytes() == (second / "tokenizer.json").read_bytes()
    assert train(corpus, tmp_path / "third", 0.01, f"--from={model}", "--preset=small") == 1
    assert "has not the shape" in capsys.readouterr().err


def test_a_run_says_what_it_trains(tmp_path: Path, corpus: Path) -> None:
    run = tmp_path / "run"
    train(corpus, run, seconds=0.01)
    config = json.decode((run / "config.json").read_bytes())
    assert config.pop("family") == "streams"
    (run / "config.json").write_bytes(json.encode(config))  # as runs were once
    export.export(run, tmp_path / "model")
    (run / "config.json").write_bytes(json.encode(config | {"family": "full"}))
    with pytest.raises(SystemExit, match='cannot be trained: its architecture is "full"'):
        export.main([f"--run={run}", f"--to={tmp_path / 'model'}"])


@pytest.mark.parametrize("name", ["config.json", "state.safetensors", "tokenizer.json"])
def test_a_run_that_cannot_be_exported_is_told(tmp_path: Path, corpus: Path, name: str) -> None:
    run = tmp_path / "run"
    train(corpus, run, seconds=0.01)
    for broken in ("x", None):
        (run / name).write_text(broken) if broken else (run / name).unlink()
        with pytest.raises(SystemExit, match=name):
            export.main([f"--run={run}", f"--to={tmp_path / 'model'}"])
