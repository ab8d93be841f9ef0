"""What makes two engines the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dllm_lsp.client.identity import identity, name, weights
from dllm_lsp.settings import EngineSettings, Settings, SuggestSettings
from dllm_lsp.wire import messages
from dllm_lsp.wire.errors import ModelError


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_the_same_settings_are_the_same_engine(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(checkpoint.parent)
    absolute = identity(Settings(model=str(checkpoint)))
    assert absolute == identity(Settings(model=str(checkpoint)))
    assert absolute == identity(Settings(model=checkpoint.name))
    assert len(absolute) == 16


def test_what_is_shown_and_how_long_it_lingers_make_no_difference():
    settings = Settings(suggest=SuggestSettings(confidence=0.9), engine=EngineSettings(linger=1, silence=1))
    assert identity(settings) == identity(Settings())


def test_device_precision_threads_and_model_make_a_difference(checkpoint: Path):
    different = [
        Settings(),
        Settings(model=str(checkpoint)),
        Settings(model=str(checkpoint / "missing")),
        Settings(engine=EngineSettings(device="cpu")),
        Settings(engine=EngineSettings(threads=3)),
        Settings(engine=EngineSettings(precision="int8")),
    ]
    assert len({identity(settings) for settings in different}) == len(different)


def test_new_weights_and_new_messages_make_a_difference(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    settings = Settings(model=str(checkpoint))
    seen = {identity(settings)}
    os.utime(checkpoint / "model.safetensors", ns=(1, 1))
    seen.add(identity(settings))
    (checkpoint / "more.safetensors").write_bytes(b"")
    seen.add(identity(settings))
    monkeypatch.setattr(messages, "VERSION", -1)
    seen.add(identity(settings))
    assert len(seen) == 4


@pytest.mark.parametrize("model", ["~nobody-of-that-name/model", "a\0b"])
def test_a_name_that_is_no_path_is_an_error_that_says_so(model: str):
    with pytest.raises(ModelError, match='The setting "model" is'):
        identity(Settings(model=model))


def test_a_model_of_the_hub_is_one_engine_before_and_after_its_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = Settings(model="owner/name")
    here = identity(settings)
    monkeypatch.chdir(tmp_path)
    assert identity(settings) == here != identity(Settings(model="owner/other"))
    assert name("owner/name") == "owner/name"
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert identity(settings) != here
    assert name("owner/name") == str(tmp_path / "owner" / "name")


def test_a_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weights("~/model") == tmp_path / "model"
