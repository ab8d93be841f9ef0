import signal
from pathlib import Path

import pytest
import torch
from clock import Clock
from msgspec import json, structs
from tiny_model import SOURCE, tiny_tokenizer

from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training import trainer as trainer_module
from dllm_lsp.training.batches import BatchConfig, Batches
from dllm_lsp.training.config import PRESETS, TrainingConfig
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.interruption import interruptible
from dllm_lsp.training.losses import Losses
from dllm_lsp.training.state import read_tensors
from dllm_lsp.training.trainer import Trainer

FILES = [SourceFile("a.py", "python", SOURCE)]
SECONDS = 10
CONFIG: TrainingConfig = structs.replace(
    PRESETS["tiny"](SECONDS),
    batch=BatchConfig(documents=2, tokens=40, holes=3, canvas=8),
    heldout_batches=1,
    report_steps=4,
    loader_workers=0,
)


def batches() -> Batches:
    return Batches(FILES, tiny_tokenizer(), CONFIG.batch, CONFIG.seed)


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int | None = None) -> Trainer:
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(trainer_module, "time", Clock(stop_at))
    trainer = Trainer(folder, CONFIG, train=batches(), heldout=batches(), device=torch.device("cpu"))
    trainer.train()
    return trainer


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole", monkeypatch)
    first = run(tmp_path / "stopped", monkeypatch, stop_at=5)
    assert (first.step, first.elapsed) == (5, 5)
    second = run(tmp_path / "stopped", monkeypatch)
    assert (second.step, second.elapsed) == (whole.step, whole.elapsed) == (SECONDS, SECONDS)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[name], value, rtol=0, atol=0)
    assert any(
        not torch.equal(value, first.model.state_dict()[name])
        for name, value in whole.model.state_dict().items()
    )


def test_a_finished_run_is_not_trained_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = run(tmp_path, monkeypatch).model.state_dict()
    again = run(tmp_path, monkeypatch)
    assert again.step == SECONDS
    assert all(torch.equal(value, weights[name]) for name, value in again.model.state_dict().items())


def test_losses_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch)
    lines = [json.decode(line) for line in (tmp_path / "log.jsonl").read_bytes().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, SECONDS]
    assert all(line[f"{name}_next"] > 0 for line in lines for name in ("train", "heldout"))


def test_the_rate_rises_stays_and_falls_to_zero_with_the_budget(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, CONFIG, train=batches(), heldout=batches(), device=torch.device("cpu"))
    rates = []
    for step in range(SECONDS + 1):
        trainer.step, trainer.elapsed = step, float(step)
        rates.append(trainer._rate())
    assert rates == pytest.approx([0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0])


def test_a_broken_state_is_told_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, stop_at=1)
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"state\.safetensors cannot be read"):
        run(tmp_path, monkeypatch)


def test_the_best_weights_are_kept_and_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heldout = iter([4.0, 3.0, 5.0, 3.5])
    monkeypatch.setattr(Trainer, "_heldout", lambda self: Losses(*torch.ones(2), torch.tensor(next(heldout))))
    config = structs.replace(CONFIG, keep_best=True)
    monkeypatch.setattr(trainer_module, "time", Clock())
    trainer = Trainer(tmp_path, config, train=batches(), heldout=batches(), device=torch.device("cpu"))
    trainer.train()
    weights, at = read_tensors(tmp_path / "best.safetensors", torch.device("cpu"))
    assert (at["step"], trainer.best) == (4, 3.0)
    assert any(not torch.equal(value, weights[name]) for name, value in trainer.model.state_dict().items())


def test_a_run_begins_with_the_weights_it_is_given(tmp_path: Path) -> None:
    torch.manual_seed(7)
    given = StreamsModel(CONFIG.model)
    weights = {name: value.clone() for name, value in given.state_dict().items()}
    trainer = Trainer(
        tmp_path,
        CONFIG,
        train=batches(),
        heldout=batches(),
        device=torch.device("cpu"),
        model=given,
    )
    assert all(torch.equal(value, weights[name]) for name, value in trainer.model.state_dict().items())


def test_who_asks_twice_is_not_kept_waiting() -> None:
    asked: list[None] = []
    with interruptible(lambda: asked.append(None)):
        signal.raise_signal(signal.SIGTERM)
        assert asked == [None]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert asked == [None]


def test_the_signals_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    run(tmp_path, monkeypatch, stop_at=1)
    assert signal.getsignal(signal.SIGINT) is before
