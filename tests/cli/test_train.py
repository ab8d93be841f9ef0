"""`dllm-lsp train --repo`, up to the training itself."""

from pathlib import Path

import pytest
import torch
from filelock import FileLock
from msgspec import structs
from tiny_model import tiny_model, tiny_tokenizer

from dllm_lsp.cli import main, tune
from dllm_lsp.client import tuned
from dllm_lsp.models.checkpoints.streams import save_streams
from dllm_lsp.settings import Settings
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.repository import Split
from dllm_lsp.training.tuning import RESULT, Base, Measure, Outcome


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model, and a data folder of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    save_streams(tmp_path / "base", tiny_model(), tiny_tokenizer(), torch.float32)
    return tmp_path / "base"


def train(repository: Path, base: Path, *more: str) -> int:
    return main(["train", f"--repo={repository}", f"--model={base}", "--threads=1", *more])


def hits(exact: float) -> tuple[bool, ...]:
    """Of twenty places."""
    return tuple(number < 20 * exact for number in range(20))


def outcome(after: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have fine-tuning end like this."""

    def fine_tune(
        folder: Path, base: Base, files: object, seconds: float, measure: Measure
    ) -> Outcome | None:
        if after is not None and after > 0.25:
            save_streams(folder / RESULT, tiny_model(), tiny_tokenizer(), torch.float16)
        return None if after is None else Outcome(hits(0.25), hits(after))

    monkeypatch.setattr(tune, "fine_tune", fine_tune)


def test_a_better_model_is_chosen_from_then_on_until_it_is_forgotten(
    base: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome(0.5, monkeypatch)
    assert train(repository, base) == 0
    printed = capsys.readouterr().out
    assert "before 25.0%" in printed
    assert "after  50.0%" in printed
    assert "5 places are right that were not, 0 no longer are" in printed
    chosen = tuned.choose(Settings(model=str(base)), repository)
    assert chosen.note == f"fine-tuned on {repository}"
    assert (Path(chosen.settings.model) / "model.safetensors").exists()
    assert train(repository, base, "--forget") == 0
    assert tuned.choose(Settings(model=str(base)), repository).note == ""
    assert train(repository, base, "--forget") == 0
    assert "No model was fine-tuned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("after", "status", "message"), [(0.1, 0, "nothing changes"), (None, 130, "goes on where it was")]
)
def test_nothing_else_changes_anything(
    base: Path,
    repository: Path,
    after: float | None,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome(after, monkeypatch)
    assert train(repository, base) == status
    assert message in capsys.readouterr().out
    assert tuned.choose(Settings(model=str(base)), repository).note == ""


def test_how_good_a_model_is_is_measured_at_so_many_places(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SourceFile("a.py", "python", "value = 1\nother = value\n" * 20)
    files = Split([structs.replace(source, path="b.py")], [source])
    monkeypatch.setattr(tune, "_PLACES", 3)
    outcome = tune._measured(base, base, files, 1000.0)
    assert len(outcome.before) == 3
    assert outcome.before == outcome.after
    assert len(tune._measured(base, base, files, 0.0).before) == 1


def test_one_run_at_a_time(base: Path, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tuned.home(repository)
    home.mkdir(parents=True)
    with FileLock(home / "lock"):
        assert train(repository, base) == 1
    assert "another run" in capsys.readouterr().err


def test_a_folder_that_cannot_be_learned_from_is_told(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "nowhere", base) == 1
    assert "no folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert train(tmp_path / "empty", base) == 1
    assert "0 characters of source code" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "soon"])
def test_minutes_are_above_0(minutes: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["train", f"--repo={tmp_path}", f"--minutes={minutes}"])
