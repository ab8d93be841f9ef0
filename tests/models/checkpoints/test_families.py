"""What is recognized of a checkpoint's files, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import (
    ORDINARY,
    change_json,
    llama,
    write_a2d,
    write_dream,
    write_json,
    write_llada,
    write_open_dcoder,
    write_weights,
)
from torch import Tensor, nn

from dllm_lsp.models.checkpoints.checkpoint import load_checkpoint
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.families import Family
from dllm_lsp.models.checkpoints.full import Bidirectional

CPU = torch.device("cpu")
WRITERS: dict[str, Callable[..., nn.Module]] = {
    "Dream": write_dream,
    "LLaDA": write_llada,
    "Open-dCoder": write_open_dcoder,
    "A2D (Qwen3)": write_a2d,
}


def load(folder: Path) -> Bidirectional:
    model, _ = load_checkpoint(folder, CPU)
    assert isinstance(model, Bidirectional)
    return model


def family(folder: Path) -> Family:
    return load(folder).family


def logits(model: Bidirectional, ids: Tensor) -> Tensor:
    rotate = model.transformer.rotation(torch.arange(ids.shape[1]))

    def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(rotate(query), rotate(key), value, enable_gqa=True)

    return model.transformer.logits(model.transformer(model.transformer.embedding(ids), attend))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shards", [1, 4])
def test_weights_come_from_any_type_and_any_number_of_shards(
    tmp_path: Path, name: str, dtype: torch.dtype, shards: int
) -> None:
    reference = WRITERS[name](tmp_path, dtype=dtype, shards=shards)
    for parameter in reference.parameters():
        parameter.copy_(parameter.to(dtype))
    ids = torch.arange(24).view(2, 12) * 13
    everything = torch.zeros(1, 1, 12, 12)
    expected = reference(ids, attention_mask=everything).logits
    torch.testing.assert_close(logits(load(tmp_path), ids), expected, rtol=1e-4, atol=1e-4)


def test_dream(tmp_path: Path) -> None:
    write_dream(tmp_path)
    found = family(tmp_path)
    assert (found.name, found.shifted, found.positions) == ("Dream", True, 2048)
    assert (found.mask, found.begin, found.end) == (ORDINARY + 4, ORDINARY + 3, ORDINARY)
    assert (found.delete, found.expand) == (None, None)


def test_dreamon_deletes_with_its_end_of_text_and_expands(tmp_path: Path) -> None:
    write_dream(tmp_path, expand=True)
    found = family(tmp_path)
    assert (found.name, found.delete, found.expand) == ("DreamOn", ORDINARY, ORDINARY + 5)
    assert (found.mask, found.begin, found.end) == (ORDINARY + 4, ORDINARY + 3, ORDINARY)


def test_the_tokens_of_length_may_be_named_in_generation_config(tmp_path: Path) -> None:
    write_dream(tmp_path, expand=True)
    change_json(
        tmp_path / "generation_config.json",
        lambda c: c.update(delete_token_id=ORDINARY + 1, expand_token_id=ORDINARY + 2),
    )
    assert (family(tmp_path).delete, family(tmp_path).expand) == (ORDINARY + 1, ORDINARY + 2)


def test_llada(tmp_path: Path) -> None:
    write_llada(tmp_path)
    found = family(tmp_path)
    assert (found.name, found.shifted, found.positions) == ("LLaDA", False, 4096)
    assert (found.mask, found.begin, found.end, found.delete) == (ORDINARY + 2, None, None, None)


def test_open_dcoder_is_a_qwen2_with_a_mask(tmp_path: Path) -> None:
    write_open_dcoder(tmp_path)
    found = family(tmp_path)
    assert (found.name, found.shifted, found.mask) == ("Open-dCoder", True, ORDINARY + 3)
    assert (found.begin, found.end, found.transformer.tied) == (None, None, True)


def write_a2d_llama(folder: Path, **options: Any) -> nn.Module:
    write_a2d(folder)
    change_json(
        folder / "config.json", lambda config: [config.pop(k) for k in ("head_dim", "attention_bias")]
    )
    network = llama()
    write_weights(folder, network.state_dict(), shards=1, **options)
    return network


@pytest.mark.parametrize(
    ("write", "model_type", "architecture", "name", "shifted"),
    [
        (write_a2d, "qwen3", "Qwen3ForCausalLM", "Open-dCoder (Qwen3)", True),
        (write_open_dcoder, "a2d-qwen2", "A2DQwen2LMHeadModel", "A2D (Qwen2)", False),
        (write_a2d_llama, "a2d-llama", "A2DLlamaLMHeadModel", "A2D (Llama)", False),
    ],
)
def test_a_family_on_another_backbone(
    tmp_path: Path,
    write: Callable[..., nn.Module],
    model_type: str,
    architecture: str,
    name: str,
    shifted: bool,
) -> None:
    reference = write(tmp_path, dtype=torch.float32)
    change_json(
        tmp_path / "config.json", lambda c: c.update(model_type=model_type, architectures=[architecture])
    )
    model, ids = load(tmp_path), torch.arange(24).view(2, 12) * 13
    assert (model.family.name, model.family.shifted) == (name, shifted)
    expected = reference(ids, attention_mask=torch.zeros(1, 1, 12, 12)).logits
    torch.testing.assert_close(logits(model, ids), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shifted", [True, False])
def test_a2d_says_itself_whether_it_is_shifted(tmp_path: Path, shifted: bool) -> None:
    write_a2d(tmp_path)
    assert not family(tmp_path).shifted
    change_json(tmp_path / "config.json", lambda c: c.update(right_shift_logits=shifted))
    assert family(tmp_path).shifted == shifted


def test_a_head_in_the_files_is_used_though_the_configuration_ties_it(tmp_path: Path) -> None:
    write_open_dcoder(tmp_path, dtype=torch.float32)
    tensors = load_file(tmp_path / "model.safetensors")
    head = torch.randn_like(tensors["model.embed_tokens.weight"])
    save_file(tensors | {"lm_head.weight": head}, tmp_path / "model.safetensors")
    model = load(tmp_path)
    assert model.transformer.head is not None
    assert torch.equal(model.transformer.head.weight, head)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "sdar"}, 'model_type "sdar": SDAR attends block by block'),
        ({"model_type": "llada2_moe"}, "LLaDA2 attends block by block"),
        ({"model_type": "lladamoe"}, "LLaDA-MoE is a mixture of experts"),
        ({"model_type": "Fast_dLLM_Qwen"}, "Fast-dLLM-v2 attends block by block"),
        ({"model_type": "wedlm"}, "WeDLM attends causally"),
        ({"model_type": "nemotron_labs_diffusion"}, "Nemotron"),
        ({"model_type": "diffusion_gemma"}, "DiffusionGemma"),
        ({"model_type": "llama"}, "an autoregressive Llama, or Stable-DiffCoder"),
        ({"model_type": "gpt2"}, 'found model_type "gpt2". Supported are: Dream'),
        ({"model_type": None}, 'found model_type "None". Supported are: Dream'),
        ({"block_size": 32}, "block_size = 32: it attends block by block"),
        ({"bd_size": 32}, "bd_size = 32: it attends block by block"),
        ({"num_experts": 64}, "num_experts = 64: a mixture of experts"),
        ({"_name_or_path": "x/Qwen3-0.6B-BD3LM"}, "BD3LM, which attends block by block"),
        ({"quantization_config": {"bits": 4}}, "quantized already"),
        ({"hidden_act": "gelu"}, "hidden_act = gelu, but only silu is supported"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "rope_type = yarn"),
        ({"rope_scaling": {"type": "linear"}}, "type = linear"),
        ({"rope_theta": None}, "config.json describes no network"),
        ({"use_sliding_window": True}, "use_sliding_window = True"),
        ({"mlp_bias": True}, "mlp_bias = True"),
        ({"hidden_size": "wide"}, "config.json describes no network that can be built: Expected `int`"),
        ({"num_hidden_layers": 0}, "config.json describes no network"),
        ({"num_key_value_heads": 3}, "4 heads cannot share 3 key-value heads"),
        ({"max_position_embeddings": 10}, "config.json describes no network"),
        ({"mask_token_id": None}, None),
        ({"mask_token_id": ORDINARY + 1}, "disagree about the mask token: 321 in config.json, 324 in token"),
        ({"vocab_size": ORDINARY - 1}, "has 320 tokens, but config.json a vocabulary of 319"),
        ({"vocab_size": ORDINARY + 1}, "its mask token is 324, outside of the vocabulary of 321"),
    ],
)
def test_what_a_dream_may_not_be(tmp_path: Path, changes: dict[str, Any], why: str | None) -> None:
    write_dream(tmp_path)
    change_json(tmp_path / "config.json", lambda config: config.update(changes))
    if why is None:
        load(tmp_path)
        return
    with pytest.raises(CheckpointError) as refused:
        load(tmp_path)
    assert why in str(refused.value)
    assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"block_type": "sequential"},
        {"layer_norm_type": "default"},
        {"activation_type": "swiglu"},
        {"include_bias": True},
        {"attention_layer_norm": True},
        {"alibi": True},
        {"rope_theta": None},
        {"num_experts": 64},
    ],
)
def test_what_a_llada_may_not_be(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_llada(tmp_path)
    change_json(tmp_path / "config.json", lambda config: config.update(changes))
    with pytest.raises(CheckpointError, match=next(iter(changes))):
        load(tmp_path)


def test_dreamreasoner_is_told_from_dream_by_its_normed_queries(tmp_path: Path) -> None:
    write_dream(tmp_path, shards=1)
    tensors = load_file(tmp_path / "model.safetensors")
    for layer in range(2):
        for name in ("q_norm", "k_norm"):
            tensors[f"model.layers.{layer}.self_attn.{name}.weight"] = torch.ones(8)
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="this is DreamReasoner, which attends block by block"):
        load(tmp_path)


def test_a_plain_qwen2_is_refused(tmp_path: Path) -> None:
    write_open_dcoder(tmp_path)
    change_json(tmp_path / "tokenizer_config.json", lambda config: config.pop("mask_token"))
    with pytest.raises(CheckpointError, match='"qwen2" without a mask token in any file: an autoregressive'):
        load(tmp_path)


def test_a_qwen2_of_another_architecture_is_refused(tmp_path: Path) -> None:
    write_open_dcoder(tmp_path)
    change_json(tmp_path / "config.json", lambda config: config.update(architectures=["WeDLMForCausalLM"]))
    with pytest.raises(CheckpointError, match='"qwen2" with the architecture WeDLMForCausalLM'):
        load(tmp_path)


def test_a_folder_that_is_named_after_a_bd3lm_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "models--dllm-hub--Qwen3-0.6B-diffusion-bd3lm-v0.1"
    folder.mkdir()
    write_a2d(folder)
    with pytest.raises(CheckpointError, match="BD3LM"):
        load(folder)


def test_a_mask_that_is_ordinary_text_is_refused(tmp_path: Path) -> None:
    write_llada(tmp_path)
    change_json(tmp_path / "config.json", lambda config: config.update(mask_token_id=65))
    with pytest.raises(CheckpointError, match="its mask token is 65, one of ordinary text"):
        load(tmp_path)


def test_a_dream_without_the_tokens_around_a_text_is_refused(tmp_path: Path) -> None:
    write_dream(tmp_path)
    change_json(tmp_path / "tokenizer_config.json", lambda config: config.pop("bos_token"))
    with pytest.raises(CheckpointError, match="names no bos_token"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ["", "[1]", "{", "nonsense"])
def test_a_file_that_holds_no_object_is_told_by_its_name(tmp_path: Path, name: str, content: str) -> None:
    write_dream(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(CheckpointError, match=f"{name} is not JSON"):
        load(tmp_path)


def test_a_folder_without_a_configuration_is_told(tmp_path: Path) -> None:
    write_dream(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"lacks config\.json"):
        load(tmp_path)
    write_json(tmp_path / "config.json", {"architectures": ["DreamModel"]})
    with pytest.raises(CheckpointError, match=r'config\.json says neither "family" nor "model_type"'):
        load(tmp_path)
