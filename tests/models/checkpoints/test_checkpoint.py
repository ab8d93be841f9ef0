import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from msgspec import json
from safetensors.torch import load_file, save_file
from tiny_model import SOURCE, tiny_checkpoint, tiny_model, tiny_tokenizer

from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.streams import save_streams

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_streams(tmp_path, *tiny_checkpoint(), torch.float16)
    return tmp_path


def change_config(folder: Path, change: Callable[[dict], object]) -> None:
    config = json.decode((folder / "config.json").read_bytes())
    change(config)
    (folder / "config.json").write_bytes(json.encode(config))


def change_weights(folder: Path, change: Callable[[dict], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def test_a_saved_model_is_loaded(folder: Path) -> None:
    model, tokenizer = load_checkpoint(folder, CPU)
    assert not model.training
    assert model.config == tiny_model().config
    assert tokenizer.encode(SOURCE) == tiny_tokenizer().encode(SOURCE)
    for name, value in tiny_model().state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value.half().float(), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_may_be_stored_in_any_type(tmp_path: Path, dtype: torch.dtype) -> None:
    save_streams(tmp_path, *tiny_checkpoint(), dtype)
    model, _ = load_checkpoint(tmp_path, CPU)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=re.escape(f"there is no folder {tmp_path / 'none'}")):
        load_checkpoint(tmp_path / "none", CPU)
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="there is no folder"):
        load_checkpoint(tmp_path / "file", CPU)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_told(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"lacks {name}"):
        load_checkpoint(folder, CPU)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.pop("model"),
        lambda config: config["model"].pop("reach"),
        lambda config: config["model"].update(reach=0),
        lambda config: config["model"].update(window=3),
        lambda config: config["model"]["transformer"].update(width=0),
        lambda config: config["model"]["transformer"].update(heads=0),
        lambda config: config["model"]["transformer"].update(heads=3),
        lambda config: config["model"]["transformer"].update(layers=-1),
        lambda config: config["model"]["transformer"].update(width="wide"),
    ],
)
def test_a_configuration_of_something_else_is_refused(folder: Path, change: Callable[[dict], object]) -> None:
    change_config(folder, change)
    with pytest.raises(CheckpointError, match=r'config\.json is not a configuration of the "streams" family'):
        load_checkpoint(folder, CPU)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_a_configuration_that_is_no_json_is_refused(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json is not JSON"):
        load_checkpoint(folder, CPU)


def test_a_tokenizer_of_something_else_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is not a tokenizer file"):
        load_checkpoint(folder, CPU)


def test_a_tokenizer_larger_than_the_model_is_refused(folder: Path) -> None:
    change_config(folder, lambda config: config["model"]["transformer"].update(vocabulary=300))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json has 320 tokens, but config\.json .* 300"):
        load_checkpoint(folder, CPU)


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_truncated_weights_are_refused(folder: Path, length: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read, it may be truncated"):
        load_checkpoint(folder, CPU)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda weights: weights.pop("roles.weight"), r"roles\.weight"),
        (lambda weights: weights.update(more=torch.zeros(1)), "more"),
        (lambda weights: weights.update({"roles.weight": torch.zeros(3, 8)}), r"roles\.weight"),
    ],
)
def test_weights_of_another_shape_are_refused(
    folder: Path, change: Callable[[dict], object], named: str
) -> None:
    change_weights(folder, change)
    with pytest.raises(CheckpointError, match=rf"(?s)model\.safetensors does not fit config\.json.*{named}"):
        load_checkpoint(folder, CPU)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(folder: Path, value: float) -> None:
    change_weights(folder, lambda weights: weights["roles.weight"][0].fill_(value))
    with pytest.raises(
        CheckpointError, match=r"model\.safetensors holds values that are not finite, in roles"
    ):
        load_checkpoint(folder, CPU)
