import io
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from dllm_lsp import hub
from dllm_lsp.client import tuned
from dllm_lsp.client.tuned import Choice, Tuned, choose, home
from dllm_lsp.fingerprints import fingerprint
from dllm_lsp.settings import Settings


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundled model, and folders of the test's own for data and cache."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "bundled"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr("dllm_lsp.hub.BUNDLED", folder)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "src" / "app").mkdir(parents=True)
    return folder


def keep(repository: Path, base: Path, name: str = "bundled", adapter: str | None = None) -> Path:
    """Do as the command does at its end, and return where the model lies."""
    folder = home(repository)
    folder.mkdir(parents=True)
    record = Tuned(
        repository=str(repository),
        base=name,
        fingerprint=fingerprint(base),
        places=10,
        before=0.1,
        after=0.2,
        adapter=adapter,
    )
    (folder / tuned.RECORD).write_bytes(msgspec.json.encode(record))
    result = folder / (adapter or tuned.MODEL)
    result.mkdir()
    return result


def test_the_model_of_a_repository_serves_all_of_it_and_nothing_else(base: Path, repository: Path) -> None:
    model = keep(repository, base)
    for place in (repository, repository / "src" / "app"):
        choice = choose(Settings(), place)
        assert choice.settings == Settings(model=str(model))
        assert choice.note == f"fine-tuned on {repository}"
        assert not choice.is_stale
    assert choose(Settings(), repository.parent) == Choice(Settings())


def test_an_adapter_is_named_beside_the_model_that_it_is_for(base: Path, repository: Path) -> None:
    folder = keep(repository, base, adapter="ab" * 32)
    choice = choose(Settings(), repository / "src")
    assert choice.settings == Settings()
    assert choice.adapter == "ab" * 32
    assert choice.note == f"adapter abababab, fine-tuned on {repository}"
    assert hub.adapter("ab" * 32) == folder
    assert hub.adapter("cd" * 32) is None


@pytest.mark.parametrize("adapter", [None, "ab" * 32])
def test_what_is_gone_is_passed_over_with_a_note(base: Path, repository: Path, adapter: str | None) -> None:
    keep(repository, base, adapter=adapter).rmdir()
    choice = choose(Settings(), repository)
    assert (choice.settings, choice.adapter, choice.is_stale) == (Settings(), None, True)
    assert f"dllm-lsp train --repo {repository}" in choice.note


def test_the_innermost_repository_counts(base: Path, repository: Path) -> None:
    keep(repository, base)
    inner = keep(repository / "src", base)
    assert choose(Settings(), repository / "src" / "app").settings.model == str(inner)


def test_a_model_made_from_other_weights_is_passed_over_with_a_note(base: Path, repository: Path) -> None:
    keep(repository, base)
    (base / "model.safetensors").write_bytes(b"upgraded")
    choice = choose(Settings(), repository, fingerprint)
    assert (choice.settings, choice.is_stale) == (Settings(), True)
    assert choose(Settings(), repository) == choice
    assert f"dllm-lsp train --repo {repository}" in choice.note


def test_settings_that_name_another_model_get_that(base: Path, repository: Path, tmp_path: Path) -> None:
    keep(repository, base)
    other = Settings(model=str(tmp_path / "other"))
    assert choose(other, repository) == Choice(other)


def test_a_model_made_from_a_folder_replaces_that_folder_alone(
    base: Path, repository: Path, tmp_path: Path
) -> None:
    model = keep(repository, base, name=str(base))
    assert choose(Settings(model=str(base)), repository).settings.model == str(model)
    assert choose(Settings(), repository).settings == Settings()


@pytest.mark.parametrize("adapter", ["../../models/x", "", "AB" * 32])
def test_a_record_names_no_path(base: Path, repository: Path, adapter: str) -> None:
    keep(repository, base)
    record = msgspec.json.decode((home(repository) / tuned.RECORD).read_bytes()) | {"adapter": adapter}
    (home(repository) / tuned.RECORD).write_bytes(msgspec.json.encode(record))
    assert choose(Settings(), repository) == Choice(Settings())


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_a_damaged_record_is_none(base: Path, repository: Path, content: bytes) -> None:
    keep(repository, base)
    (home(repository) / tuned.RECORD).write_bytes(content)
    assert choose(Settings(), repository) == Choice(Settings())


def test_a_model_that_cannot_be_looked_for_is_left_to_who_loads_it(base: Path, repository: Path) -> None:
    for model in ("~nobody-has-this-name/x", "a\0b"):
        assert choose(Settings(model=model), repository).settings.model == model


def test_no_file_of_a_repository_chooses_a_model(base: Path, repository: Path) -> None:
    model = keep(repository, base)
    for name in (tuned.RECORD, ".dllm-lsp.json"):
        (repository / name).write_bytes((home(repository) / tuned.RECORD).read_bytes())
    (home(repository) / tuned.RECORD).unlink()
    assert choose(Settings(), repository).settings == Settings()
    assert not model.is_relative_to(repository)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of all files that are opened from now on."""
    names: list[str] = []
    real = io.open

    def noted(file: object, *rest: object, **options: object) -> object:
        names.append(Path(str(file)).name)
        return real(file, *rest, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(io, "open", noted)
    return names


def test_weights_are_not_opened_to_choose(base: Path, repository: Path, opened: list[str]) -> None:
    model = keep(repository, base)
    assert "model.safetensors" in opened  # to find out the fingerprint once
    opened.clear()
    assert choose(Settings(), repository).settings.model == str(model)
    (base / "model.safetensors").touch()
    assert choose(Settings(), repository) == Choice(Settings(), is_undecided=True)
    assert tuned.RECORD in opened
    assert "model.safetensors" not in opened


def test_what_is_undecided_is_decided_where_weights_may_be_read(base: Path, repository: Path) -> None:
    model = keep(repository, base)
    os.utime(base / "model.safetensors", ns=(1, 1))
    assert choose(Settings(), repository).is_undecided
    assert choose(Settings(), repository, fingerprint).settings.model == str(model)
    assert choose(Settings(), repository).settings.model == str(model)
    shutil.rmtree(base)
    assert choose(Settings(), repository, fingerprint) == Choice(Settings())
