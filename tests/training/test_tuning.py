"""Fine-tuning at a tiny size; how good a model is, the tests say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from clock import Clock
from msgspec import structs
from safetensors.torch import load_file
from tiny_model import SOURCE, tiny_model, tiny_tokenizer

from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.errors import CapabilityError
from dllm_lsp.models.checkpoints.streams import save_streams
from dllm_lsp.training import streams, trainer, tuning
from dllm_lsp.training.batches import BatchConfig
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.repository import Split
from dllm_lsp.training.tuning import RESULT, RUN, Base, Outcome, Score, fine_tune

FILES = Split([SourceFile("a.py", "python", SOURCE)], [SourceFile("b.py", "python", SOURCE)])
SECONDS = 10.0
"""Of which the trainer's clock lets 8 steps happen beside two measurements of one."""

SMALL = {
    "batch": BatchConfig(documents=1, tokens=40, holes=3, canvas=8),
    "report_steps": 3,
    "heldout_batches": 6,
}


class Measure:
    """Says what it is told of one model after the other, and remembers which they were."""

    def __init__(self, exact: Sequence[float]) -> None:
        self.exact = list(exact)
        self.asked: list[tuple[str, int | None]] = []

    def __call__(self, model: Path, places: int | None) -> Score:
        load_checkpoint(model, torch.device("cpu"))
        self.asked.append((model.name, places))
        return Score(places or 50, self.exact.pop(0), 1.0)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    config = streams._tuning_config
    save_streams(tmp_path / "base", tiny_model(), tiny_tokenizer(), torch.float32)
    monkeypatch.setattr(
        streams, "_tuning_config", lambda model, seconds: structs.replace(config(model, seconds), **SMALL)
    )
    return Base(tmp_path / "base", "1234")


def tune(
    tmp_path: Path,
    base: Base,
    measure: Measure,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stop_at: int | None = None,
    seconds: float = SECONDS,
) -> Outcome:
    monkeypatch.setattr(trainer, "time", Clock(stop_at))
    return fine_tune(tmp_path / "home", base, FILES, seconds, measure)


def test_a_better_model_is_kept(tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Measure([0.25, 0.5])
    outcome = tune(tmp_path, base, measure, monkeypatch)
    assert outcome == (Score(50, 0.25, 1.0), Score(50, 0.5, 1.0))
    assert measure.asked == [("base", None), (RESULT, 50)]
    result = tmp_path / "home" / RESULT
    tuned, given = (load_file(folder / "model.safetensors") for folder in (result, base.folder))
    assert tuned.keys() == given.keys()
    assert any(not torch.equal(tuned[name], given[name].half()) for name in given)
    assert not (tmp_path / "home" / RUN).exists()


@pytest.mark.parametrize("after", [0.25, 0.2])
def test_one_that_is_no_better_is_not(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    outcome = tune(tmp_path, base, Measure([0.25, after]), monkeypatch)
    assert outcome.after is not None
    assert outcome.after.exact == after
    assert list((tmp_path / "home").iterdir()) == []


def test_a_model_that_only_forgets_is_not_even_measured(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter(range(1, 100))
    monkeypatch.setattr(
        trainer.Trainer, "_heldout", lambda self: trainer.Losses(*[torch.tensor(float(next(losses)))] * 3)
    )
    measure = Measure([0.25])
    assert tune(tmp_path, base, measure, monkeypatch) == (Score(50, 0.25, 1.0), Score(50, 0.25, 1.0))
    assert list((tmp_path / "home").iterdir()) == []


def test_a_run_that_was_stopped_twice_ends_as_if_it_had_not_been(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    tune(whole, base, Measure([0.25, 0.5]), monkeypatch)
    measure = Measure([0.25, 0.5])
    for stop_at in (3, 2):
        assert tune(tmp_path, base, measure, monkeypatch, stop_at=stop_at).after is None
        assert not (tmp_path / "home" / RESULT).exists()
    assert tune(tmp_path, base, measure, monkeypatch).after == Score(50, 0.5, 1.0)
    assert measure.asked == [("base", None), (RESULT, 50)]
    one, other = (load_file(folder / "home" / RESULT / "model.safetensors") for folder in (whole, tmp_path))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("change", ["base", "seconds", "damage"])
def test_what_is_another_run_begins_anew(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    measure = Measure([0.25, 0.3, 0.5])
    tune(tmp_path, base, measure, monkeypatch, stop_at=3)
    if change == "base":
        base = base._replace(fingerprint="another")
    if change == "damage":
        (tmp_path / "home" / RUN / "before.json").write_text("{")
    seconds = 9.0 if change == "seconds" else SECONDS
    outcome = tune(tmp_path, base, measure, monkeypatch, seconds=seconds)
    assert outcome.before.exact == 0.3
    assert outcome.after is not None


def test_measuring_leaves_time_to_train() -> None:
    slow = tuning._Before("", 100.0, Score(1, 0.0, 49.0))
    assert tuning._training_seconds(slow) == pytest.approx(30.0)


def test_a_model_of_another_architecture_is_told(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base.folder / "config.json").write_text('{"model_type": "Dream"}')
    measure = Measure([0.25])
    message = 'cannot be trained: its architecture is "full", and only "streams" can'
    with pytest.raises(CapabilityError, match=message):
        tune(tmp_path, base, measure, monkeypatch)
    assert measure.asked == []
