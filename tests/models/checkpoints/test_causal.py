"""A causal base is loaded with the adapter that was made for it, and with no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_checkpoints import write_adapter_of, write_base
from torch import nn

from dllm_lsp.engine.loading import load_model
from dllm_lsp.models.checkpoints import causal, prepared
from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint, load_prepared
from dllm_lsp.models.checkpoints.errors import CheckpointError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared.platformdirs, "user_cache_path", lambda *args, **kwargs: tmp_path / "cache")


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


def test_a_base_is_read_with_its_adapter(base: Path, adapter: Path) -> None:
    factors = write_adapter_of(adapter)
    model, _ = load_checkpoint(base, CPU)
    assert isinstance(model, causal.Causal)
    assert (model.snippets, model.canvas) == (1, 9)
    assert torch.equal(model.network.mask, torch.ones(32))
    x, made = torch.randn(1, 3, 32), torch.zeros(1, 3, 64)
    for layer in range(2):
        model.network.adapter.amend(layer, "attention.qkv", x, made.zero_())
        for kind, columns in (("q", slice(0, 32)), ("k", slice(32, 48))):
            down, up = factors[f"model.layers.{layer}.self_attn.{kind}_proj"]
            torch.testing.assert_close(made[..., columns], x @ (up @ down).t(), rtol=1e-4, atol=1e-4)
        assert not made[..., 48:].any()
        unchanged = torch.zeros(1, 3, 32)
        model.network.adapter.amend(layer, "feed_forward.down", torch.randn(1, 3, 64), unchanged)
        assert not unchanged.any()


def test_every_matrix_is_quantized_and_the_next_start_finds_it_so(base: Path, adapter: Path) -> None:
    write_adapter_of(adapter)
    assert load_prepared(base) is None
    model, _ = load_checkpoint(base, CPU)
    model.quantize("int8", CPU)
    again = load_prepared(base)
    assert again is not None
    for each in (model, again.model):
        modules = each.transformer.modules()
        assert not [module for module in modules if isinstance(module, nn.Linear | nn.Embedding)]
    assert isinstance(again.model, causal.Causal)
    assert (again.model.snippets, again.model.canvas) == (1, 9)


def test_what_is_kept_is_loaded_by_int8_and_auto_alone(base: Path, adapter: Path) -> None:
    write_adapter_of(adapter)
    assert load_model(base, CPU, "int8").precision == "int8"
    assert load_model(base, CPU, "auto").precision == "int8", "whatever is measured this time"
    assert load_model(base, CPU, "fp32").precision == "fp32"


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
