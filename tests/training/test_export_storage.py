"""In which number format weights are exported."""

from pathlib import Path

import pytest
import torch
from msgspec import structs
from safetensors.torch import load_file
from tiny_model import tiny_model, tiny_tokenizer

from dllm_lsp.training import streams
from dllm_lsp.training.config import PRESETS, write_config
from dllm_lsp.training.export import export, main
from dllm_lsp.training.state import save_state


@pytest.fixture(autouse=True)
def _run(tmp_path: Path) -> None:
    write_config(tmp_path, structs.replace(PRESETS["tiny"](1.0), model=tiny_model().config))
    save_state(tmp_path, tiny_model(), [], {})
    tiny_tokenizer().save(tmp_path / "tokenizer.json")


def stored(folder: Path) -> torch.dtype:
    return load_file(folder / "model.safetensors")["transformer.blocks.0.attention.qkv.weight"].dtype


def test_weights_are_stored_in_float16_unless_int8_is_asked_for(tmp_path: Path) -> None:
    whole = export(tmp_path, tmp_path / "whole")
    main([f"--run={tmp_path}", f"--to={tmp_path / 'small'}", "--int8"])
    assert (stored(tmp_path / "whole"), stored(tmp_path / "small")) == (torch.float16, torch.int8)
    assert sum(file.stat().st_size for file in (tmp_path / "small").iterdir()) < whole


def test_a_large_model_is_stored_in_int8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 2 * sum(parameter.numel() for parameter in tiny_model().parameters())
    monkeypatch.setattr(streams, "MOST_BYTES", size)
    export(tmp_path, tmp_path / "fits")
    monkeypatch.setattr(streams, "MOST_BYTES", size - 1)
    export(tmp_path, tmp_path / "large")
    assert (stored(tmp_path / "fits"), stored(tmp_path / "large")) == (torch.float16, torch.int8)
