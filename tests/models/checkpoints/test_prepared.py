"""A base is brought into int8 once, and the next start finds it so."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_adapted import SHAPES, base
from torch import Tensor

from dllm_lsp.models.checkpoints import prepared
from dllm_lsp.models.checkpoints.weights import unfilled
from dllm_lsp.models.network.quantization import quantize
from dllm_lsp.models.network.transformer import Transformer

CPU = torch.device("cpu")
FINGERPRINT = "7" * 64
QKV = "blocks.1.attention.qkv.weight"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared.platformdirs, "user_cache_path", lambda *args, **kwargs: tmp_path / "cache")


def in_int8(name: str) -> Transformer:
    network = deepcopy(base(name)[0])
    quantize(network, "int8", CPU)
    return network


def empty(name: str) -> Transformer:
    with unfilled():
        return Transformer(base(name)[0].config)


@torch.no_grad()
def logits(network: Transformer) -> Tensor:
    hidden = network(
        network.embedding(torch.arange(20, 40)[None]), lambda layer, q, k, v: q + v.mean(1, True)
    )
    return network.logits(hidden)


@pytest.mark.parametrize("name", SHAPES)
def test_what_was_kept_computes_the_same(name: str) -> None:
    network, again = in_int8(name), empty(name)
    prepared.keep(FINGERPRINT, network)
    assert prepared.fill(again, FINGERPRINT)
    assert torch.equal(logits(again), logits(network))


def test_what_was_filled_does_not_depend_on_the_file() -> None:
    again = empty("Qwen2")
    prepared.keep(FINGERPRINT, in_int8("Qwen2"))
    prepared.fill(again, FINGERPRINT)
    before = logits(again)
    kept = prepared.place(FINGERPRINT)
    kept.write_bytes(bytes(kept.stat().st_size))
    assert torch.equal(logits(again), before)


DAMAGES = {
    "a matrix that is missing": lambda t: t.pop(QKV),
    "scales that are missing": lambda t: t.pop(QKV + ".scales"),
    "another shape": lambda t: t.update({QKV: t[QKV][:-1].clone()}),
    "another format": lambda t: t.update({QKV: t[QKV].float()}),
    "scales of another number": lambda t: t.update({QKV + ".scales": torch.ones(3)}),
    "scales that are not finite": lambda t: t[QKV + ".scales"].fill_(float("inf")),
    "a norm that is not finite": lambda t: t["norm.weight"].fill_(float("nan")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_counts_as_none_and_is_written_anew(damage: str) -> None:
    network, again = in_int8("Qwen2"), empty("Qwen2")
    prepared.keep(FINGERPRINT, network)
    tensors = load_file(prepared.place(FINGERPRINT))
    DAMAGES[damage](tensors)
    save_file(tensors, prepared.place(FINGERPRINT))
    assert not prepared.fill(again, FINGERPRINT)
    prepared.keep(FINGERPRINT, network)
    assert prepared.fill(again, FINGERPRINT)


@pytest.mark.parametrize("content", [b"", b"\xff" * 99, b"\x08" + bytes(7) + b'{"a": 1}'])
def test_what_is_no_such_file_counts_as_none(content: bytes) -> None:
    prepared.keep(FINGERPRINT, in_int8("Llama"))
    prepared.place(FINGERPRINT).write_bytes(content)
    assert not prepared.fill(empty("Llama"), FINGERPRINT)


def test_a_file_that_was_cut_counts_as_none() -> None:
    prepared.keep(FINGERPRINT, in_int8("Llama"))
    path = prepared.place(FINGERPRINT)
    path.write_bytes(path.read_bytes()[:-1])
    assert not prepared.fill(empty("Llama"), FINGERPRINT)


def test_weights_of_another_fingerprint_processor_or_version_are_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared.keep(FINGERPRINT, in_int8("Llama"))
    assert not prepared.fill(empty("Llama"), "8" * 64)
    with monkeypatch.context() as other:
        other.setattr(prepared, "VERSION", prepared.VERSION + 1)
        assert not prepared.fill(empty("Llama"), FINGERPRINT)
    monkeypatch.setattr(prepared, "packed_top", lambda: 1.0)
    assert not prepared.fill(empty("Llama"), FINGERPRINT)


def test_a_new_version_replaces_the_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared.keep(FINGERPRINT, in_int8("Llama"))
    older = prepared.place(FINGERPRINT)
    monkeypatch.setattr(prepared, "VERSION", prepared.VERSION + 1)
    prepared.keep(FINGERPRINT, in_int8("Llama"))
    assert list(older.parent.iterdir()) == [prepared.place(FINGERPRINT)]


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    prepared.keep(FINGERPRINT, in_int8("Llama"))
    assert not prepared.fill(empty("Llama"), FINGERPRINT)


def test_a_disk_that_fills_up_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(tensors: dict[str, Tensor], path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(prepared, "save_file", fail)
    prepared.keep(FINGERPRINT, in_int8("Llama"))
    assert list(prepared.place(FINGERPRINT).parent.iterdir()) == []
