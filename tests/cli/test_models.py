"""`dllm-lsp models`, and `--model` with a name of the hub."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import Hub, serving
from tiny_checkpoints import write_dream

Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.own_engine  # one that an earlier test left has this model from that test's hub

SOURCE = "def double(number):\n    return \n"


@pytest.fixture
def served(
    tmp_path: Path, server_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hub]:
    """A hub with a small Dream, and an empty cache."""
    repository = tmp_path / "repository"
    repository.mkdir()
    write_dream(repository, expand=True)
    with serving("me/dream", repository) as hub:
        monkeypatch.setitem(server_environment, "HF_ENDPOINT", hub.address)
        monkeypatch.setitem(server_environment, "HF_HOME", str(tmp_path / "cache"))
        yield hub


def test_models_are_listed_with_what_one_must_know_to_choose(run: Run, served: Hub) -> None:
    done = run("models")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "bundled"
    about = lines[lines.index("Dream-org/DreamOn-v0-7B") + 1]
    assert {"7.6 billion parameters", "16 GB of memory", "Apache-2.0"} <= {
        *about.strip().split(": ")[0].split(", ")
    }
    assert served.asked == []


def test_a_model_is_downloaded_and_then_used(run: Run, served: Hub, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(SOURCE)
    done = run("models", "download", "me/dream")
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / "config.json").is_file()
    asked = len(served.asked)
    used = run("--model", "me/dream", "complete", "a.py:2:12", "--json", "--set", "suggest.confidence=0")
    assert used.returncode == 0, used.stderr
    assert len(served.asked) == asked


def test_a_model_that_is_named_is_downloaded(run: Run, served: Hub, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(SOURCE)
    done = run("complete", "--model", "me/dream", "a.py:2:12")
    assert done.returncode == 0, done.stderr
    assert any(path.endswith("vocab.json") for path in served.asked)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models", "download", "me/none"], 'no folder "me/none", and no model of that name on the Hugging'),
        (["models", "download", "repository"], '"repository" is a folder here, or no OWNER/NAME'),
        (["--model", "me/none", "complete", "a.py:1:1"], 'no folder "me/none", and no model of that name'),
    ],
)
def test_what_cannot_be_had_is_told(
    run: Run, served: Hub, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "a.py").write_text(SOURCE)
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_doctor_says_how_to_download_a_model(run: Run, served: Hub) -> None:
    done = run("doctor", "--model", "me/none")
    assert done.returncode == 1
    assert "Download it: dllm-lsp models download me/none" in done.stdout
    assert 'no folder "me/none"' in done.stdout
