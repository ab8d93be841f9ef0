import re
from pathlib import Path

import pytest
import torch
from msgspec import json
from tiny_checkpoints import write_adapter_of, write_base, write_dream
from tiny_model import tiny_checkpoint

from dllm_lsp.engine.architectures import SERVED
from dllm_lsp.fingerprints import fingerprint_of_weights, known
from dllm_lsp.models.checkpoints import causal
from dllm_lsp.models.checkpoints.architectures import LOADERS, architecture_of
from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.streams import save_streams
from dllm_lsp.training.architectures import TRAINED

CPU = torch.device("cpu")


def write(folder: Path, architecture: str) -> None:
    if architecture == "full":
        write_dream(folder)
    elif architecture == "causal":
        write_base(folder)
        write_adapter_of(folder / "adapters/tiny")
    else:
        save_streams(folder, *tiny_checkpoint(), torch.float16)


@pytest.mark.parametrize("architecture", LOADERS)
def test_a_folder_says_what_it_is_loaded_as(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causal, "ADAPTERS", tmp_path / "adapters")
    write(tmp_path, architecture)
    assert architecture_of(tmp_path) == architecture
    assert load_checkpoint(tmp_path, CPU).model.architecture == architecture


def test_what_can_be_loaded_can_be_run_and_nothing_else_is_trained() -> None:
    assert SERVED.keys() == LOADERS.keys()
    assert TRAINED.keys() <= LOADERS.keys()


@pytest.mark.parametrize("family", ["llada", "", None, 3, ["streams"]])
def test_an_unknown_family_is_told(tmp_path: Path, family: object) -> None:
    write(tmp_path, "full")
    config = json.decode((tmp_path / "config.json").read_bytes())
    (tmp_path / "config.json").write_bytes(json.encode(config | {"family": family}))
    says = f'{tmp_path / "config.json"} says "family": {json.encode(family).decode()}. Supported are the "family" '
    with pytest.raises(
        CheckpointError, match=re.escape(says) + '"streams", "causal" and the "model_type" of: Dream'
    ):
        load_checkpoint(tmp_path, CPU)


def test_a_model_of_before_fingerprints_is_loaded(tmp_path: Path) -> None:
    write(tmp_path, "streams")
    assert known(tmp_path) == fingerprint_of_weights(tmp_path)
    config = json.decode((tmp_path / "config.json").read_bytes())
    del config["fingerprint"]
    (tmp_path / "config.json").write_bytes(json.encode(config))
    assert architecture_of(tmp_path) == "streams"
    load_checkpoint(tmp_path, CPU)
