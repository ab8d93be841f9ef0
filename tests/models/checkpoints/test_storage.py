from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_model import tiny_checkpoint, tiny_model

from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.storage import SCALES, compressed
from dllm_lsp.models.checkpoints.streams import save_streams

CPU = torch.device("cpu")
EMBEDDING = "transformer.embedding.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_streams(tmp_path, *tiny_checkpoint(), torch.int8)
    return tmp_path


def test_matrices_take_a_byte_a_weight_and_the_rest_is_exact() -> None:
    weights = tiny_model().state_dict()
    stored = compressed(weights)
    for name, value in weights.items():
        if value.ndim == 2:
            assert stored[name].dtype == torch.int8
            step = stored[name + SCALES][:, None]
            assert ((stored[name] * step - value).abs() <= 0.5001 * step).all()
        else:
            assert torch.equal(stored[name], value)


def test_what_was_loaded_is_stored_and_loaded_again_without_loss(folder: Path, tmp_path: Path) -> None:
    once = load_checkpoint(folder, CPU)
    save_streams(tmp_path / "again", *once, torch.int8)  # type: ignore[arg-type]
    again = load_checkpoint(tmp_path / "again", CPU)
    for name, value in once.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[name], value, rtol=1e-6, atol=0)


def test_loaded_weights_are_those_stored(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    loaded = load_checkpoint(folder, CPU).model.state_dict()
    assert loaded.keys() == tiny_model().state_dict().keys()
    assert torch.equal(loaded[EMBEDDING], stored[EMBEDDING] * stored[EMBEDDING + SCALES][:, None])


@pytest.mark.parametrize("scales", [None, torch.ones(3), torch.ones(330, 1)])
def test_scales_that_do_not_fit_are_told(folder: Path, scales: torch.Tensor | None) -> None:
    stored = load_file(folder / "model.safetensors")
    del stored[EMBEDDING + SCALES]
    if scales is not None:
        stored[EMBEDDING + SCALES] = scales
    save_file(stored, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=EMBEDDING):
        load_checkpoint(folder, CPU)
