from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec import json
from safetensors.torch import load_file, save_file
from torch import Tensor

from dllm_lsp.fingerprints import hashed
from dllm_lsp.models.adapted.network import Factors, LowRank
from dllm_lsp.models.checkpoints.adapter import Adapter, read_adapter, stacked, write_adapter
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.layouts import QWEN
from dllm_lsp.models.network.transformer import Transformer, TransformerConfig

BASE = TransformerConfig(
    vocabulary=50,
    width=12,
    layers=2,
    heads=4,
    key_value_heads=2,
    head_width=4,
    feed_forward=20,
    qk_norm=False,
)
SHAPES = {
    "self_attn.q_proj": (16, 12),
    "self_attn.k_proj": (8, 12),
    "self_attn.v_proj": (8, 12),
    "self_attn.o_proj": (12, 16),
    "mlp.gate_proj": (20, 12),
    "mlp.up_proj": (20, 12),
    "mlp.down_proj": (12, 20),
}
RANK, FINGERPRINT = 3, "ab" * 32
FIRST = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


def factors(matrices: list[str], dtype: torch.dtype = torch.bfloat16) -> dict[str, Factors]:
    torch.manual_seed(0)
    return {
        f"model.layers.{layer}.{matrix}": Factors(
            torch.randn(RANK, SHAPES[matrix][1], dtype=dtype),
            torch.randn(SHAPES[matrix][0], RANK, dtype=dtype),
        )
        for layer in range(BASE.layers)
        for matrix in matrices
    }


def alone(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Every token attends to itself."""
    return value.repeat_interleave(query.shape[1] // value.shape[1], 1)


def write(folder: Path, matrices: list[str], **changes: Any) -> str:
    given = {
        "factors": factors(matrices),
        "mask": torch.arange(12.0),
        "base": FINGERPRINT,
        "base_name": "somebody/base",
        "metadata": {"steps": 7},
    }
    return write_adapter(folder, **(given | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, list(SHAPES))
    return tmp_path


def read(folder: Path) -> Adapter:
    return read_adapter(folder, FINGERPRINT, BASE)


def change(path: Path, by: Callable[[dict[str, Any]], object]) -> None:
    content = json.decode(path.read_bytes())
    by(content)
    path.write_bytes(json.encode(content))


def change_tensors(folder: Path, by: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    by(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


@pytest.mark.parametrize("matrices", [list(SHAPES), ["mlp.down_proj", "self_attn.q_proj"]])
def test_what_was_written_is_read(tmp_path: Path, matrices: list[str]) -> None:
    fingerprint = write(tmp_path / "new", matrices)
    adapter, given = read(tmp_path / "new"), factors(matrices)
    assert (adapter.base, adapter.fingerprint, adapter.metadata) == (FINGERPRINT, fingerprint, {"steps": 7})
    assert torch.equal(adapter.mask, torch.arange(12.0))
    assert adapter.factors.keys() == given.keys()
    for name, pair in adapter.factors.items():
        assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(pair, given[name], strict=True))


def test_its_files_are_pefts_and_one_of_ours(folder: Path) -> None:
    config = json.decode((folder / "adapter_config.json").read_bytes())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", RANK, RANK)
    assert config["target_modules"] == sorted(name.partition(".")[2] for name in SHAPES)
    names = load_file(folder / "adapter_model.safetensors").keys()
    assert FIRST in names
    assert len(names) == 2 * 2 * 7 + 1
    assert {file.name for file in folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "dllm.json",
    }


def test_a_fingerprint_changes_with_whatever_changes_the_result(tmp_path: Path) -> None:
    mask = torch.arange(12.0)
    other = factors(list(SHAPES)) | {
        "model.layers.1.mlp.up_proj": Factors(torch.ones(3, 12), torch.ones(20, 3))
    }
    changes: list[dict[str, Any]] = [{}, {"mask": mask + 1}, {"factors": other}]
    found = [write(tmp_path / str(i), list(SHAPES), **changed) for i, changed in enumerate(changes)]
    assert len(set(found)) == len(found)
    assert write(tmp_path / "again", list(SHAPES), metadata={"steps": 8}) == found[0]


def test_another_bases_adapter_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"belongs to a base of fingerprint abababababababab, .* cdcd"):
        read_adapter(folder, "cd" * 32, BASE)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "dllm.json"])
def test_a_missing_file_is_told(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=re.escape(f"the adapter in {folder} lacks {name}")):
        read(folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "dllm.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": "\xff"}', b"{}"])
def test_a_damaged_description_is_told(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(str(folder / name))):
        read(folder)


@pytest.mark.parametrize(
    "changed",
    [
        {"peft_type": "LOHA"},
        {"r": 0},
        {"r": None},
        {"lora_alpha": 0},
        {"lora_alpha": "3"},
        {"target_modules": []},
        {"target_modules": "all-linear"},
        {"bias": "all"},
        {"init_lora_weights": "pissa"},
        {"use_rslora": True},
        {"use_dora": True},
        {"modules_to_save": ["lm_head"]},
        {"rank_pattern": {"q_proj": 8}},
    ],
)
def test_what_would_mean_something_else_is_refused(folder: Path, changed: dict[str, Any]) -> None:
    change(folder / "adapter_config.json", lambda config: config.update(changed))
    [key] = changed
    with pytest.raises(CheckpointError, match=rf"adapter_config\.json .*{key}"):
        read(folder)


def trust(folder: Path) -> None:
    """Let our record say what the files are now."""
    files = [folder / "adapter_config.json", folder / "adapter_model.safetensors"]
    change(folder / "dllm.json", lambda record: record.update(fingerprint=hashed(files)))


def test_what_peft_writes_by_default_is_not_in_the_way(folder: Path) -> None:
    unset = {"use_rslora": False, "modules_to_save": None, "rank_pattern": {}, "init_lora_weights": True}
    change(folder / "adapter_config.json", lambda config: config.update(unset, peft_version="0.21.2"))
    with pytest.raises(CheckpointError, match=r"is not what dllm\.json says: its files were changed"):
        read(folder)
    trust(folder)
    read(folder)


def test_pefts_scale_is_in_the_factors(folder: Path) -> None:
    change(folder / "adapter_config.json", lambda config: config.update(lora_alpha=4))
    trust(folder)
    name, given = "model.layers.1.mlp.down_proj", factors(list(SHAPES))
    down, up = read(folder).factors[name]
    assert torch.equal(down, given[name].down)
    torch.testing.assert_close(up, given[name].up.float() * 4 / RANK)


@pytest.mark.parametrize("matrices", [list(SHAPES), ["self_attn.v_proj", "mlp.gate_proj", "mlp.down_proj"]])
def test_a_network_takes_them_as_it_stacks_its_matrices(tmp_path: Path, matrices: list[str]) -> None:
    write(tmp_path, matrices)
    adapter = read(tmp_path)
    torch.manual_seed(1)
    base = Transformer(BASE)
    for parameter in base.parameters():
        torch.nn.init.normal_(parameter)
    merged = deepcopy(base)
    for name, (down, up) in adapter.factors.items():
        place = QWEN.place(f"{name}.weight", BASE)
        assert place is not None
        place.of(merged.state_dict()).add_(up.float() @ down.float())
    terms = LowRank(stacked(adapter.factors, BASE), torch.device("cpu"), torch.float32)
    x = torch.randn(2, 5, BASE.width)
    plain, amended, expected = base(x, alone), base(x, alone, terms.amend), merged(x, alone)
    torch.testing.assert_close(amended, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(plain, expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("target", ["lm_head", "embed_tokens", "input_layernorm", "q_norm", "proj", ""])
def test_an_unknown_target_is_told(folder: Path, target: str) -> None:
    change(folder / "adapter_config.json", lambda config: config["target_modules"].append(target))
    with pytest.raises(
        CheckpointError, match=f'targets "{target}", but the base has only down_proj, gate_proj'
    ):
        read(folder)


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (lambda tensors: tensors.pop(FIRST), "q_proj.lora_A.weight is missing"),
        (lambda tensors: tensors.pop("mask"), "mask is missing"),
        (
            lambda tensors: tensors.update({FIRST: torch.zeros(4, 12)}),
            "q_proj.lora_A.weight is 4x12, but must be 3x12",
        ),
        (lambda tensors: tensors.update(mask=torch.zeros(11)), "mask is 11, but must be 12"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), "more is unexpected"),
        (
            lambda tensors: tensors.update({FIRST.replace(".0.", ".2."): tensors[FIRST].clone()}),
            "layers.2.self_attn.q_proj.lora_A.weight is unexpected",
        ),
        (lambda tensors: tensors[FIRST].view(-1)[5:6].fill_(float("nan")), "not finite numbers, in .*q_proj"),
        (lambda tensors: tensors["mask"][3:4].fill_(float("inf")), "not finite numbers, in mask"),
        (
            lambda tensors: tensors.update({FIRST: torch.ones(3, 12, dtype=torch.int8)}),
            "not finite numbers, in",
        ),
        (lambda tensors: tensors[FIRST].mul_(2), r"its files were changed"),
    ],
)
def test_tensors_of_something_else_are_told(
    folder: Path, by: Callable[[dict[str, Tensor]], object], told: str
) -> None:
    change_tensors(folder, by)
    with pytest.raises(CheckpointError, match=told):
        read(folder)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_a_truncated_file_is_told(folder: Path, share: float) -> None:
    path = folder / "adapter_model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        CheckpointError, match=r"adapter_model\.safetensors cannot be read, it may be truncated"
    ):
        read(folder)


def test_a_base_of_another_shape_is_told(folder: Path) -> None:
    wider = TransformerConfig(vocabulary=50, width=16, layers=2, heads=4, feed_forward=20)
    with pytest.raises(CheckpointError, match=r"does not fit adapter_config\.json and the base"):
        read_adapter(folder, FINGERPRINT, wider)


def test_what_was_half_written_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def stop(self: Path, target: Path) -> Path:
        if target.name == "dllm.json":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write(folder, list(SHAPES), mask=torch.zeros(12))
    with pytest.raises(CheckpointError, match="its files were changed"):
        read(folder)
