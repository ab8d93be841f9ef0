"""Fine-tuning at a tiny size; how good a model is, the tests say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from clock import Clock
from msgspec import structs
from safetensors.torch import load_file
from tiny_model import SOURCE, tiny_model, tiny_tokenizer

from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.errors import CapabilityError
from dllm_lsp.models.checkpoints.streams import save_streams
from dllm_lsp.training import streams, trainer
from dllm_lsp.training.batches import BatchConfig
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.repository import Split
from dllm_lsp.training.state import STATE
from dllm_lsp.training.tuning import RESULT, RUN, Base, Outcome, fine_tune

FILES = Split([SourceFile("a.py", "python", SOURCE)], [SourceFile("b.py", "python", SOURCE)])
SECONDS = 10.0
"""Of which three quarters are the trainer's."""

SMALL = {
    "batch": BatchConfig(documents=1, tokens=40, holes=3, canvas=8),
    "report_steps": 3,
    "heldout_batches": 6,
}


def hits(exact: float) -> tuple[bool, ...]:
    """Of twenty places."""
    return tuple(number < 20 * exact for number in range(20))


class Measure:
    """Says what it is told, and remembers of which models, and what time there was."""

    def __init__(self, after: float = 0.5) -> None:
        self.after = after
        self.asked: list[tuple[str, float]] = []

    def __call__(self, result: Path, seconds: float) -> Outcome:
        load_checkpoint(result, torch.device("cpu"))
        self.asked.append((result.name, seconds))
        return Outcome(hits(0.25), hits(self.after))


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
) -> Outcome | None:
    monkeypatch.setattr(trainer, "time", Clock(stop_at))
    return fine_tune(tmp_path / "home", base, FILES, seconds, measure)


def test_a_better_model_is_kept(tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Measure(0.5)
    outcome = tune(tmp_path, base, measure, monkeypatch)
    assert outcome == Outcome(hits(0.25), hits(0.5))
    assert measure.asked == [(RESULT, 0.25 * SECONDS)]
    result = tmp_path / "home" / RESULT
    tuned, given = (load_file(folder / "model.safetensors") for folder in (result, base.folder))
    assert tuned.keys() == given.keys()
    assert any(not torch.equal(tuned[name], given[name].half()) for name in given)
    assert not (tmp_path / "home" / RUN).exists()


@pytest.mark.parametrize("after", [0.25, 0.2])
def test_one_that_is_no_better_is_not(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    outcome = tune(tmp_path, base, Measure(after), monkeypatch)
    assert outcome == Outcome(hits(0.25), hits(after))
    assert list((tmp_path / "home").iterdir()) == []


def test_a_model_that_only_forgets_is_not_even_measured(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter(range(1, 100))
    monkeypatch.setattr(
        trainer.Trainer, "_heldout", lambda self: trainer.Losses(*[torch.tensor(float(next(losses)))] * 3)
    )
    measure = Measure()
    assert tune(tmp_path, base, measure, monkeypatch) == Outcome()
    assert measure.asked == []
    assert list((tmp_path / "home").iterdir()) == []


def test_a_run_that_was_stopped_twice_ends_as_if_it_had_not_been(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    tune(whole, base, Measure(), monkeypatch)
    measure = Measure()
    for stop_at in (3, 2):
        assert tune(tmp_path, base, measure, monkeypatch, stop_at=stop_at) is None
        assert not (tmp_path / "home" / RESULT).exists()
    assert measure.asked == []
    assert tune(tmp_path, base, measure, monkeypatch) is not None
    one, other = (load_file(folder / "home" / RESULT / "model.safetensors") for folder in (whole, tmp_path))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("change", [None, "base", "seconds", "damage"])
def test_what_is_another_run_begins_anew(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch, change: str | None
) -> None:
    tune(tmp_path, base, Measure(), monkeypatch, stop_at=3)
    state = tmp_path / "home" / RUN / STATE
    assert state.exists()
    if change == "base":
        base = base._replace(fingerprint="another")
    if change == "damage":
        (tmp_path / "home" / RUN / "begun.json").write_text("{")
    taken_up: list[bool] = []
    begin = streams.StreamsTuning.__init__

    def noted(tuning: streams.StreamsTuning, *rest: Any) -> None:
        taken_up.append(state.exists())
        begin(tuning, *rest)

    monkeypatch.setattr(streams.StreamsTuning, "__init__", noted)
    seconds = 9.0 if change == "seconds" else SECONDS
    assert tune(tmp_path, base, Measure(), monkeypatch, seconds=seconds) is not None
    assert taken_up == [change is None]


def test_chance_grows_with_the_places_that_differ() -> None:
    outcome = Outcome((True, True, False, False), (False, True, True, False))
    assert (outcome.gained, outcome.lost) == (1, 1)
    assert outcome.noise == pytest.approx(1.96 * 2**0.5)


def test_a_model_of_another_architecture_is_told(
    tmp_path: Path, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base.folder / "config.json").write_text('{"model_type": "Dream"}')
    measure = Measure()
    message = 'cannot be fine-tuned: its architecture is "full", and only "streams"'
    with pytest.raises(CapabilityError, match=message):
        tune(tmp_path, base, measure, monkeypatch)
    assert measure.asked == []
