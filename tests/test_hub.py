"""Models by name: the package's, a folder's, and those that are downloaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_server import COMMIT, serving
from tiny_checkpoints import write_dream

from dllm_lsp import hub

Client = Callable[[str, str], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with the code and the doubles that lie beside one on the hub."""
    folder = tmp_path_factory.mktemp("repository")
    write_dream(folder)
    (folder / "modeling_dream.py").write_text("raise SystemExit('run')")
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    (folder / "original").mkdir()
    (folder / "original" / "consolidated.safetensors").write_bytes(b"twice")
    return folder


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Runs code with a hub at an address, in a process of its own, since the address is read at the import."""

    def run(address: str, code: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache")}
        return subprocess.run(
            [sys.executable, "-c", f"from dllm_lsp import hub\n{code}"],
            env={k: v for k, v in environment.items() if k != "HF_HUB_OFFLINE"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_a_model_is_downloaded_once_and_without_its_code(client: Client, repository: Path) -> None:
    told = "told = []\nprint(hub.fetched('me/dream', told.append))\nprint(told[-1])"
    with serving("me/dream", repository) as served:
        first = client(served.address, told)
        asked = list(served.asked)
        again = client(served.address, told.replace("print(told[-1])", "print(told)"))
        assert served.asked == asked
    offline = client("http://127.0.0.1:9", "print(hub.fetched('me/dream'))")
    path, said = first.stdout.splitlines()
    folder = Path(path)
    assert folder.name == COMMIT
    wanted = {f.name for f in repository.iterdir() if f.suffix in (".json", ".txt", ".safetensors")}
    assert {file.name for file in folder.iterdir()} == wanted
    assert not any(name in line for line in asked for name in (".py", ".bin", "original", "agent"))
    assert said.startswith("downloading me/dream: ")
    assert said.endswith(" MB")
    assert again.stdout.splitlines() == [path, "[]"]
    assert offline.stdout.splitlines() == [path]


def test_a_download_that_was_broken_off_is_taken_up_again(client: Client, repository: Path) -> None:
    code = "print(hub.fetched('me/dream'))"
    with serving("me/dream", repository) as served:
        folder = Path(client(served.address, code).stdout.strip())
        lost = folder / "model-00002-of-00003.safetensors"
        lost.unlink()
        assert client(served.address, "print(hub.downloaded('me/dream'))").stdout == "None\n"
        before = len(served.asked)
        assert client(served.address, code).stdout.strip() == str(folder)
        assert lost.read_bytes() == (repository / lost.name).read_bytes()
        assert not any("00001-of" in path for path in served.asked[before:])


DOWNLOAD = "try: hub.download('me/other')\nexcept hub.HubError as error: print(error)"


def test_a_name_that_the_hub_has_not_is_told(client: Client, repository: Path) -> None:
    with serving("me/dream", repository) as served:
        said = client(served.address, DOWNLOAD).stdout
    assert said == 'there is no folder "me/other", and no model of that name on the Hugging Face hub\n'


def test_a_hub_that_cannot_be_reached_is_told(client: Client) -> None:
    said = client("http://127.0.0.1:9", DOWNLOAD).stdout
    assert said.startswith("me/other cannot be downloaded from the Hugging Face hub: ")
    assert said.count("\n") == 1
    assert "refused" in said


@pytest.mark.parametrize("missing", ["config.json", "merges.txt", "model-00001-of-00003.safetensors"])
def test_a_repository_without_what_is_needed_is_told(
    client: Client, tmp_path: Path, repository: Path, missing: str
) -> None:
    part = tmp_path / "part"
    part.mkdir()
    for file in repository.glob("*.*"):
        if file.name != missing:
            (part / file.name).write_bytes(file.read_bytes())
    with serving("me/other", part) as served:
        said = client(served.address, DOWNLOAD).stdout
    assert said == "me/other has no weights in safetensors, or no configuration, or no tokenizer\n"


@pytest.mark.parametrize(
    "name", ["Dream-org/DreamOn-v0-7B", "GSAI-ML/LLaDA-1.5", "fredzzp/open-dcoder-0.5B", "a/b"]
)
def test_names_of_the_hub(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub.is_hub_id(name)
    (tmp_path / name).mkdir(parents=True)
    assert not hub.is_hub_id(name)
    assert hub.fetched(name) == tmp_path / name


@pytest.mark.parametrize(
    "name",
    ["bundled", "model", "./a/b", "~/model", "/a/b", "a/b/c", "../a", "a\\b", "a/", "/", "", "a b/c", "-a/b"],
)
def test_names_that_are_not_of_the_hub(name: str) -> None:
    assert not hub.is_hub_id(name)


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert hub.fetched("bundled") == hub.BUNDLED
    assert (hub.BUNDLED / "config.json").is_file()
    assert hub.fetched("~/model") == hub.fetched("model") == tmp_path / "model"


def test_auto_is_the_better_model_once_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert hub.named("auto") == "bundled"
    assert hub.fetched("auto") == hub.folder("auto") == hub.BUNDLED
    monkeypatch.setattr(hub.shelf, "installed", hub.shelf.folder)
    assert hub.named("auto") == hub.BETTER
    assert hub.fetched("auto") == hub.folder("auto") == hub.shelf.folder(hub.BETTER)
    assert hub.named("bundled") == "bundled"


@pytest.mark.parametrize("name", ["~nobody-of-that-name/model", "a\0b"])
def test_a_name_that_is_no_path_is_told(name: str) -> None:
    with pytest.raises(ValueError, match='The setting "model" is'):
        hub.folder(name)


def test_looking_for_models_loads_neither_network_nor_hub() -> None:
    code = "import sys\nfrom dllm_lsp import hub\nhub.fetched('bundled')\nhub.is_hub_id('a/b')\n"
    code += "print({'torch', 'huggingface_hub', 'tqdm'} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "set()\n"


def test_a_model_of_the_package_index_is_where_it_was_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smollm2-135m").mkdir()  # a project's folder does not take its place
    folder = hub.folder("smollm2-135m")
    assert folder == tmp_path / "dllm-lsp" / "models" / "smollm2-135m"
    with pytest.raises(hub.HubError, match="get it with `dllm-lsp models get smollm2-135m`"):
        hub.fetched("smollm2-135m")
    folder.mkdir(parents=True)
    (folder / "MODEL").write_text('{"layout": 1, "source": "a", "files": {}}')
    assert hub.fetched("smollm2-135m") == folder
