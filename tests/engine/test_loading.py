"""A model comes into the engine in the precision that was asked for."""

from pathlib import Path

import pytest
import torch
from tiny_model import tiny_checkpoint
from torch import nn

from dllm_lsp.engine import loading
from dllm_lsp.engine.loading import load_model
from dllm_lsp.models.checkpoints.streams import save_streams
from dllm_lsp.models.network.precision import PrecisionError

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_streams(tmp_path, *tiny_checkpoint(), torch.float32)
    return tmp_path


def logits(folder: Path, precision: str) -> torch.Tensor:
    model = load_model(folder, CPU, precision).model
    context = model.context("python")
    context.become([40, 41, 42], [43, 44])
    with torch.no_grad(), model.surroundings(context, 6) as around:
        [found] = model.denoise([torch.zeros(6, dtype=torch.long)], [around])
    return found


def test_int8_is_nearly_what_it_was(folder: Path) -> None:
    whole, small = logits(folder, "fp32"), logits(folder, "int8")
    assert not torch.equal(whole, small)
    assert float((whole - small).norm() / whole.norm()) < 0.1


@pytest.mark.parametrize("chosen", ["fp32", "int8"])
def test_auto_is_what_the_machine_gains_from(
    folder: Path, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "resolved", lambda precision, device, network: chosen)
    assert torch.equal(logits(folder, "auto"), logits(folder, chosen))
    assert load_model(folder, CPU, "auto").precision == chosen


def test_every_matrix_is_quantized(folder: Path) -> None:
    model = load_model(folder, CPU, "int8").model
    transformer = model._network.transformer
    assert not [module for module in transformer.modules() if isinstance(module, nn.Linear | nn.Embedding)]


def test_a_precision_that_the_device_lacks_is_told(folder: Path) -> None:
    with pytest.raises(PrecisionError, match=r'"engine\.precision" is "fp8"'):
        load_model(folder, CPU, "fp8")
