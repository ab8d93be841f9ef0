"""Fine-tuning an adapter on a small repository; and the command, as its user sees it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from adapters import fine_tuned
from msgspec import structs
from tiny_base import FILE
from tiny_checkpoints import write_base

from dllm_lsp import hub
from dllm_lsp.cli import main, tune
from dllm_lsp.client import tuned
from dllm_lsp.engine.engine import Engine
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.models.checkpoints.causal import load_base
from dllm_lsp.models.checkpoints.vocabulary import read_json
from dllm_lsp.settings import Settings
from dllm_lsp.training.adaptation import trainer, tuning
from dllm_lsp.training.adaptation.adapter import Adapter
from dllm_lsp.training.adaptation.base import base_of
from dllm_lsp.training.adaptation.checkpoint import BaseName, Totals, begin_with, save_adapter
from dllm_lsp.training.adaptation.config import AdaptationConfig
from dllm_lsp.training.adaptation.tuning import AdapterTuning
from dllm_lsp.training.adaptation.windows import WindowConfig
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.repository import Split
from dllm_lsp.training.tuning import Outcome

pytestmark = pytest.mark.timeout(120)  # the first one imports transformers
FILES = Split([FILE], [structs.replace(FILE, path="p==1/b.py")])


@pytest.fixture
def base(adapted_base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base whose own adapter has factors of every matrix, as what is trained on has; and a small run."""
    write_base(adapted_base, head_dim=8)
    network, _ = load_base(adapted_base, torch.device("cpu"), torch.float32)
    weights = base_of(network, torch.float32)
    adapter = Adapter(weights.shape, 2, weights.embedding.mean(0))
    own = adapted_base.parent / "shipped" / "tiny"
    save_adapter(own, adapter, BaseName("tiny", "5" * 64), Totals(steps=9), canvas=9, languages=["go"])
    small = WindowConfig(main_language="", lines=3, holes=2)
    real = tuning._config

    def config(seconds: float) -> AdaptationConfig:
        return structs.replace(real(seconds), window=small, rate=0.02)

    monkeypatch.setattr(tuning, "_config", config)
    return adapted_base


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look at the trainer's clock take half a second, and none else."""
    ticks: Iterator[int] = iter(range(10**6))
    monkeypatch.setattr(trainer, "_clock", lambda *_: lambda: next(ticks) / 2)
    monkeypatch.setattr(tuning.time, "monotonic", lambda: 0.0)


def factors(folder: Path, base: Path) -> dict[str, torch.Tensor]:
    network, _ = load_base(base, torch.device("cpu"), torch.float32)
    shape = base_of(network, torch.float32).shape
    adapter, _ = begin_with(folder, shape, BaseName("tiny", "5" * 64))
    return dict(adapter.state_dict())


def test_it_begins_with_the_shipped_adapter_and_writes_one_that_the_engine_takes(
    base: Path, ticking: None, tmp_path: Path
) -> None:
    shipped, result = tmp_path / "shipped" / "tiny", tmp_path / "result"
    given = factors(shipped, base)
    run = AdapterTuning(tmp_path, base, FILES, 10.0)
    assert not run.save(result)
    assert not result.exists()
    run.train()
    assert run.is_finished
    assert run.save(result)
    made = factors(result, base)
    assert all(not torch.equal(made[name], given[name]) for name in given)
    assert all((made[name] - given[name]).abs().max() < 0.5 for name in given)
    assert all(torch.equal(value, given[name]) for name, value in factors(shipped, base).items())
    engine = Engine.load(str(base), "cpu", 1, "fp32")
    assert engine.canvas == 9
    adapted = engine.adapted(result)
    metadata = read_json(result / "dllm.json")["metadata"]
    assert (metadata["canvas"], metadata["languages"]) == (32, ["go", "python"])
    limits = Limits(tokens=3, milliseconds=math.inf)
    assert list(adapted.infill("a.py", Hole("x = ", "\n", "python"), limits))


def test_a_run_that_was_stopped_is_taken_up(base: Path, ticking: None, tmp_path: Path) -> None:
    run = AdapterTuning(tmp_path, base, FILES, 10.0)
    run._trainer.train(run._trainer.stop)  # after the first step
    assert not run.is_finished
    again = AdapterTuning(tmp_path, base, FILES, 10.0)
    assert again._trainer.totals.steps == 1
    again.train()
    assert again.is_finished
    assert again._trainer.totals.steps > 1


def test_files_without_code_are_told_and_not_searched_without_end(base: Path, tmp_path: Path) -> None:
    empty = Split([SourceFile("a.py", "python", " \n" * 6000)], [FILE])
    with pytest.raises(ValueError, match="no line of code that anything could be learned at"):
        AdapterTuning(tmp_path, base, empty, 10.0)


def train(repository: Path, base: Path, *more: str) -> int:
    return main(["train", f"--repo={repository}", f"--model={base}", "--threads=1", "--minutes=0.05", *more])


def test_a_better_adapter_serves_the_repository_and_a_later_one_takes_its_place(
    base: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(result: Path, *_: object) -> Outcome:
        assert list(result.iterdir())
        return Outcome((False, False, False), (True, False, False))

    monkeypatch.setattr(tune, "_measured", measured)
    found = []
    for _ in range(2):
        assert train(repository, base) == 0
        printed = capsys.readouterr().out
        assert "before 0.0%" in printed
        assert "after  33.3%" in printed
        assert "so which is better is not certain" in printed
        choice = tuned.choose(Settings(model=str(base)), repository)
        assert choice.settings.model == str(base)
        assert choice.adapter is not None
        folder = hub.adapter(choice.adapter)
        assert folder is not None
        assert [each.name for each in tuned.home(repository).iterdir() if each.is_dir()] == [folder.name]
        found.append(choice.adapter)
    assert train(repository, base, "--forget") == 0
    assert hub.adapter(found[-1]) is None
    assert tuned.choose(Settings(model=str(base)), repository).adapter is None


def test_one_that_is_no_better_changes_nothing(
    base: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = fine_tuned(1)
    assert train(repository, base) == 0
    printed = capsys.readouterr().out
    assert "before 0.0%" in printed
    assert "nothing changes" in printed
    assert tuned.choose(Settings(model=str(base)), repository).note == ""
    assert [each.name for each in hub.tuned().glob("*/*") if each.is_dir()] == [other]
