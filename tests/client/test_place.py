"""Where an engine's socket may lie."""

from __future__ import annotations

import tempfile
from pathlib import Path

import platformdirs
import pytest

from dllm_lsp.client.place import MAX_SOCKET_BYTES, find_place
from dllm_lsp.wire.errors import PlaceError

NAME = "0123456789abcdef"


@pytest.fixture
def temporary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder, as another than the runtime folder."""
    path = folder / "t"
    path.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(path))
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: path / "cache" / name)
    return path


def test_the_runtime_folder_comes_first(folder: Path, temporary: Path):
    assert find_place(NAME).socket == folder / "dllm-lsp" / f"{NAME}.sock"


@pytest.mark.parametrize("runtime", ["", "relative", "/nowhere/at/all\0", "/dev/null", "/" + "x" * 90])
def test_a_private_temporary_folder_stands_in(temporary: Path, monkeypatch: pytest.MonkeyPatch, runtime: str):
    if "\0" in runtime:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    place = find_place(NAME)
    assert place.folder.parent == temporary
    assert place.folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_open_is_refused(folder: Path, temporary: Path):
    (folder / "dllm-lsp").mkdir()
    (folder / "dllm-lsp").chmod(0o755)
    assert find_place(NAME).folder.parent == temporary


def test_a_folder_below_one_that_others_can_write_is_refused(folder: Path, temporary: Path):
    folder.chmod(0o777)
    assert find_place(NAME).folder.parent == temporary
    folder.chmod(0o1777)
    assert find_place(NAME).folder.parent == folder


def test_a_link_to_a_folder_is_refused(folder: Path, temporary: Path):
    (folder / "elsewhere").mkdir(mode=0o700)
    (folder / "dllm-lsp").symlink_to(folder / "elsewhere")
    assert find_place(NAME).folder.parent == temporary


def test_paths_fit_a_socket_address(folder: Path, monkeypatch: pytest.MonkeyPatch):
    longest = MAX_SOCKET_BYTES - len(f"/dllm-lsp/{NAME}.sock")
    for length in (longest, longest + 1):
        runtime = folder / ("x" * (length - len(str(folder)) - 1))
        runtime.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        assert (find_place(NAME).folder.parent == runtime) == (length == longest)


def test_no_place_at_all_is_an_error_that_says_why(temporary: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/dev/null")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/dev/null")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: temporary / ("x" * 90))
    with pytest.raises(PlaceError, match=r"File exists.*too long.*Set XDG_RUNTIME_DIR"):
        find_place(NAME)
