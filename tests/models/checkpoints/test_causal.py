"""A causal base is loaded with the adapter that was made for it, and with no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_checkpoints import write_adapter_of, write_base

from dllm_lsp.models.checkpoints import causal
from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.errors import CheckpointError

CPU = torch.device("cpu")


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the adapter of the base "tiny" belongs."""
    monkeypatch.setattr(causal, "ADAPTERS", tmp_path / "adapters")
    (tmp_path / "adapters/other").mkdir(parents=True)
    return tmp_path / "adapters/tiny"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    write_base(folder)
    return folder


def test_the_base_is_read_as_it_is_and_the_writer_with_the_adapter(base: Path, adapter: Path) -> None:
    factors = write_adapter_of(adapter)
    model, _ = load_checkpoint(base, CPU)
    assert isinstance(model, causal.Causal)
    assert (model.snippets, model.canvas) == (1, 9)
    read, writer, mask = model.network
    for layer, (plain, changed) in enumerate(zip(read.blocks, writer.blocks, strict=True)):
        difference = changed.attention.qkv.weight - plain.attention.qkv.weight
        for kind, rows in (("q", slice(0, 32)), ("k", slice(32, 48))):
            down, up = factors[f"model.layers.{layer}.self_attn.{kind}_proj"]
            torch.testing.assert_close(difference[rows], up @ down, rtol=1e-4, atol=1e-4)
        assert not difference[48:].any()
        assert torch.equal(changed.feed_forward.down.weight, plain.feed_forward.down.weight)
    assert writer.embedding is read.embedding
    assert torch.equal(mask, torch.ones(32))


def test_in_eight_bits_embedding_and_head_are_stored_once(base: Path, adapter: Path) -> None:
    write_adapter_of(adapter)
    model, _ = load_checkpoint(base, CPU)
    model.quantize("int8", CPU)
    read, writer, _ = model.network
    assert writer.embedding is read.embedding
    assert writer.head is read.head
    assert not [each for each in writer.modules() if isinstance(each, torch.nn.Linear | torch.nn.Embedding)]


def test_a_base_without_an_adapter_is_told(base: Path, adapter: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"no adapter that makes it an infiller: .* ships one for other"
    ):
        load_checkpoint(base, CPU)


@pytest.mark.parametrize("name", ["../../base", "", "nowhere", 3, None])
def test_a_base_of_any_other_name_has_none(base: Path, adapter: Path, name: object) -> None:
    write_adapter_of(adapter)
    write_base(base, base=name)
    with pytest.raises(CheckpointError, match="no adapter that makes it an infiller"):
        load_checkpoint(base, CPU)


def test_an_adapter_of_other_weights_is_refused(base: Path, adapter: Path) -> None:
    write_adapter_of(adapter, base="6" * 64)
    with pytest.raises(CheckpointError, match="belongs to a base of fingerprint 6666"):
        load_checkpoint(base, CPU)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"geometry": {"sink": 1}}, "other places for its streams"),
        ({"snippets": 9}, "does not say how it was trained"),
        ({"canvas": 0}, "does not say how it was trained"),
        ({"canvas": "9"}, "does not say how it was trained"),
    ],
)
def test_an_adapter_that_was_trained_otherwise_is_refused(
    base: Path, adapter: Path, changes: dict[str, object], message: str
) -> None:
    write_adapter_of(adapter, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(base, CPU)


def test_a_base_of_few_positions_is_refused(base: Path, adapter: Path) -> None:
    write_adapter_of(adapter)
    write_base(base, max_position_embeddings=512)
    with pytest.raises(CheckpointError, match="knows 512 positions"):
        load_checkpoint(base, CPU)
