"""In which number format weights are exported."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import tiny_model, tiny_tokenizer

from dllm_lsp.training import export as module
from dllm_lsp.training.export import export, main


@pytest.fixture(autouse=True)
def _run(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {f"model.{name}": value for name, value in tiny_model().state_dict().items()}
    monkeypatch.setattr(module, "read_config", lambda run: SimpleNamespace(model=tiny_model().config))
    monkeypatch.setattr(module, "read_tensors", lambda path, device: (weights, {}))
    monkeypatch.setattr(module.Tokenizer, "load", lambda path: tiny_tokenizer())


def stored(folder: Path) -> torch.dtype:
    return load_file(folder / "model.safetensors")["transformer.blocks.0.attention.qkv.weight"].dtype


def test_weights_are_stored_in_float16_unless_int8_is_asked_for(tmp_path: Path) -> None:
    whole = export(tmp_path, tmp_path / "whole")
    main([f"--run={tmp_path}", f"--to={tmp_path / 'small'}", "--int8"])
    assert (stored(tmp_path / "whole"), stored(tmp_path / "small")) == (torch.float16, torch.int8)
    assert sum(file.stat().st_size for file in (tmp_path / "small").iterdir()) < whole


def test_a_large_model_is_stored_in_int8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 2 * sum(parameter.numel() for parameter in tiny_model().parameters())
    monkeypatch.setattr(module, "MOST_BYTES", size)
    export(tmp_path, tmp_path / "fits")
    monkeypatch.setattr(module, "MOST_BYTES", size - 1)
    export(tmp_path, tmp_path / "large")
    assert (stored(tmp_path / "fits"), stored(tmp_path / "large")) == (torch.float16, torch.int8)
