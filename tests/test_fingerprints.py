import os
import re
from pathlib import Path

import pytest
from msgspec import json

from dllm_lsp import hub
from dllm_lsp.fingerprints import fingerprint, fingerprint_of_weights, known


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    return model


def test_names_and_contents_of_weights_tell_them_apart(tmp_path: Path) -> None:
    found = set()
    for number, (name, content) in enumerate([("a", b"1"), ("b", b"1"), ("a", b"2")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / f"{name}.safetensors").write_bytes(content)
        found.add(fingerprint_of_weights(folder))
    assert len(found) == 3


def test_what_is_no_weights_makes_no_difference(folder: Path) -> None:
    before = fingerprint_of_weights(folder)
    (folder / "config.json").write_text('{"calibration": null}')
    (folder / "README.md").write_text("A model.")
    assert fingerprint_of_weights(folder) == before


def test_one_is_found_once_and_kept_until_the_weights_change(folder: Path) -> None:
    assert known(folder) is None
    found = fingerprint(folder)
    assert re.fullmatch("[0-9a-f]{64}", found)
    assert known(folder) == found
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert known(folder) is None
    assert fingerprint(folder) == known(folder) == found
    (folder / "more.safetensors").write_bytes(b"")
    assert known(folder) is None
    assert fingerprint(folder) != found


def test_what_the_weights_came_with_counts(folder: Path) -> None:
    stored = "0" * 64
    (folder / "config.json").write_bytes(json.encode({"fingerprint": stored}))
    assert known(folder) == fingerprint(folder) == stored != fingerprint_of_weights(folder)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"fingerprint": 3}', b'{"fingerprint": "x"}', b"\xff"]
)
def test_a_damaged_record_is_none(folder: Path, tmp_path: Path, damage: bytes) -> None:
    found = fingerprint(folder)
    (folder / "config.json").write_bytes(damage)
    assert known(folder) == found
    [cache] = (tmp_path / "cache").rglob("*.json")
    cache.write_bytes(damage)
    assert known(folder) is None
    assert fingerprint(folder) == found


def test_where_nothing_can_be_kept_it_is_found_anew(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    assert fingerprint(folder) == fingerprint(folder)
    assert known(folder) is None


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert known(tmp_path / "none") is None
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path / "none")


def test_the_bundled_weights_came_with_theirs() -> None:
    assert known(hub.BUNDLED) == fingerprint_of_weights(hub.BUNDLED)
