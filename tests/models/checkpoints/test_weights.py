"""Weights that are missing, damaged, or of something else."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import change_json, write_dream, write_open_dcoder
from torch import Tensor

from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.errors import CheckpointError

CPU = torch.device("cpu")
INDEX = "model.safetensors.index.json"
SHARD = "model-00002-of-00003.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dream(tmp_path)
    return tmp_path


def change(path: Path, edit: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)


def refused(folder: Path, match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        load_checkpoint(folder, CPU)


def test_a_missing_shard_is_told(folder: Path) -> None:
    (folder / SHARD).unlink()
    refused(folder, f"lacks {SHARD}: its download is incomplete")


@pytest.mark.parametrize("length", [0, 5, 300, -1])
def test_a_truncated_shard_is_told(folder: Path, length: int) -> None:
    path = folder / SHARD
    path.write_bytes(path.read_bytes()[:length])
    refused(folder, f"{SHARD} cannot be read, it may be truncated")


def test_a_shard_that_holds_less_than_the_index_says_is_told(folder: Path) -> None:
    change(folder / SHARD, lambda tensors: tensors.popitem())
    refused(folder, rf"{SHARD} lacks .*, which {re.escape(INDEX)} says it holds")


@pytest.mark.parametrize("content", ["", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}'])
def test_an_index_of_something_else_is_told(folder: Path, content: str) -> None:
    (folder / INDEX).write_text(content)
    refused(folder, f"{re.escape(INDEX)} is not an index of weights")


def test_an_empty_index_is_told(folder: Path) -> None:
    (folder / INDEX).write_text('{"weight_map": {}}')
    refused(folder, "lacks weights")


def test_an_index_leads_to_no_other_folder(folder: Path) -> None:
    outside = folder.parent / "outside.safetensors"
    (folder / SHARD).rename(outside)
    edit = lambda index: index["weight_map"].update(  # noqa: E731
        {k: f"../{outside.name}" for k, v in index["weight_map"].items() if v == SHARD}
    )
    change_json(folder / INDEX, edit)
    refused(folder, f"lacks {outside.name}")


def test_pickled_weights_are_not_opened(folder: Path) -> None:
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80")
    refused(folder, r"lacks model\.safetensors; it has pickled weights, which are never opened")


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (
            lambda t: t.pop("model.layers.1.self_attn.k_proj.bias"),
            r"blocks\.1\.attention\.qkv\.bias is missing",
        ),
        (lambda t: t.pop("lm_head.weight"), r"head\.weight is missing"),
        (lambda t: t.pop("model.layers.0.mlp.up_proj.weight"), r"gate_up\.weight is missing"),
        (
            lambda t: t.update({"model.layers.2.mlp.up_proj.weight": torch.zeros(48, 32)}),
            r"model\.layers\.2\.mlp\.up_proj\.weight is unexpected",
        ),
        (lambda t: t.update({"visual.weight": torch.zeros(1)}), r"visual\.weight is unexpected"),
        (
            lambda t: t.update({"model.layers.0.self_attn.k_proj.weight": torch.zeros(32, 32)}),
            r"k_proj\.weight is 32x32, but must be 16x32",
        ),
        (
            lambda t: t.update({"model.norm.weight": torch.zeros(2, 16)}),
            r"norm\.weight is 2x16, but must be 32",
        ),
        (
            lambda t: [t.pop(name) for name in list(t) if "bias" in name],
            r"blocks\.0\.attention\.qkv\.bias is missing; blocks\.1\.attention\.qkv\.bias is missing",
        ),
        (lambda t: [t.pop(name) for name in list(t) if "norm" in name], "and 2 more"),
    ],
)
def test_weights_of_something_else_are_told(
    tmp_path: Path, edit: Callable[[dict[str, Tensor]], object], match: str
) -> None:
    write_dream(tmp_path, shards=1)
    change(tmp_path / "model.safetensors", edit)
    refused(tmp_path, rf"model\.safetensors does not fit config\.json: .*{match}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_told(folder: Path, value: float) -> None:
    name = "model.layers.1.mlp.gate_proj.weight"
    path = next(file for file in folder.glob("*.safetensors") if name in load_file(file))
    change(path, lambda tensors: tensors[name][3, 4].fill_(value))
    refused(folder, f"{path.name} holds values that are not finite, in {name}")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: 7"),
    ],
)
def test_too_little_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def load_state_dict(self: object, values: object, *, assign: bool) -> None:
        raise error

    write_open_dcoder(tmp_path)
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", load_state_dict)
    refused(tmp_path, r"take 0\.0 GB, more than is free on cpu: choose a smaller model")


def test_other_errors_of_torch_are_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_state_dict(self: object, values: object, *, assign: bool) -> None:
        raise RuntimeError("something else")

    write_open_dcoder(tmp_path)
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", load_state_dict)
    with pytest.raises(RuntimeError, match="something else"):
        load_checkpoint(tmp_path, CPU)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_weights_are_held_in_the_wanted_precision(folder: Path, dtype: torch.dtype) -> None:
    model, _ = load_checkpoint(folder, CPU, dtype)
    assert {parameter.dtype for parameter in model.transformer.parameters()} == {dtype}


def test_a_model_is_loaded_without_torchs_compiler(tmp_path: Path) -> None:
    """Drawing values that are overwritten would import it, and an algebra system with it: seconds, and 60 MB."""
    write_open_dcoder(tmp_path)
    loads = (
        "import sys, torch; from pathlib import Path; "
        "from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint; "
        f"load_checkpoint(Path({str(tmp_path)!r}), torch.device('cpu')); "
        "print(*{'torch._dynamo', 'torch._inductor', 'sympy', 'transformers'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
