"""Small random checkpoints of every family, written as their publishers write them: names, files and all."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tiny_model import SOURCE
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as BytePairEncoder
from torch import Tensor, nn

from dllm_lsp.models.adapted.geometry import geometry
from dllm_lsp.models.adapted.network import Factors
from dllm_lsp.models.checkpoints.adapter import write_adapter

ORDINARY = 320
"""The size of the vocabulary without the special tokens, which follow it."""

VOCABULARY = 336
"""The rows of the embedding: as in Qwen's checkpoints, more than there are tokens."""

QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

FINGERPRINT = "5" * 64
"""Of the base that `write_base` writes."""

QWEN_CONFIG: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-2,  # larger than in any real one, so that it matters
    "rope_theta": 1_000_000.0,
    "rope_scaling": None,
    "use_sliding_window": False,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


@cache
def trained_encoder() -> BytePairEncoder:
    encoder = BytePairEncoder(models.BPE())
    encoder.normalizer = normalizers.NFC()
    encoder.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    encoder.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=ORDINARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    encoder.train_from_iterator([SOURCE * 3], trainer)
    assert encoder.get_vocab_size() == ORDINARY
    return encoder


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    write_json(path, content)


def write_tokenizer(
    folder: Path, special: list[str], roles: dict[str, str], tokenizer_class: str, *, whole: bool
) -> None:
    """`whole` writes tokenizer.json; else there are vocab.json and merges.txt, as beside a tokenizer in Python."""
    ids = {token: ORDINARY + i for i, token in enumerate(special)}
    content = json.loads(trained_encoder().to_str())
    if whole:
        flags = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
        content["added_tokens"] = [{"id": i, "content": t, "special": True, **flags} for t, i in ids.items()]
        write_json(folder / "tokenizer.json", content)
    else:
        write_json(folder / "vocab.json", content["model"]["vocab"])
        merges = [" ".join(merge) for merge in content["model"]["merges"]]
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
        write_json(folder / "added_tokens.json", ids)
    decoder = {str(i): {"content": token, "special": True} for token, i in ids.items()}
    config = {"add_prefix_space": False, "added_tokens_decoder": decoder, "tokenizer_class": tokenizer_class}
    write_json(folder / "tokenizer_config.json", config | roles)


def write_weights(folder: Path, tensors: dict[str, Tensor], dtype: torch.dtype, shards: int) -> None:
    stored = {name: tensor.to(dtype).contiguous() for name, tensor in tensors.items()}
    if shards == 1:
        save_file(stored, folder / "model.safetensors", {"format": "pt"})
        return
    index = {}
    for number in range(shards):
        name = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        part = {key: stored[key] for i, key in enumerate(sorted(stored)) if i % shards == number}
        save_file(part, folder / name, {"format": "pt"})
        index |= dict.fromkeys(part, name)
    size = sum(tensor.nbytes for tensor in stored.values())
    write_json(
        folder / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": index}
    )


def random_weights(model: nn.Module) -> nn.Module:
    """Make a fresh model of few parameters sure of something, biases and norms included."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    return model.eval().requires_grad_(False)


def qwen2(**changes: object) -> nn.Module:
    from transformers import Qwen2Config, Qwen2ForCausalLM  # noqa: PLC0415

    return random_weights(Qwen2ForCausalLM(Qwen2Config(**_reference(changes))))


def qwen3(**changes: object) -> nn.Module:
    from transformers import Qwen3Config, Qwen3ForCausalLM  # noqa: PLC0415

    return random_weights(Qwen3ForCausalLM(Qwen3Config(**_reference({"head_dim": 12} | changes))))


def llama(**changes: object) -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    return random_weights(LlamaForCausalLM(LlamaConfig(**_reference(changes))))


def _reference(changes: dict[str, object]) -> dict[str, Any]:
    left_out = ("torch_dtype", "rope_scaling", "rope_theta")
    config = {key: value for key, value in QWEN_CONFIG.items() if key not in left_out}
    rope = {"rope_type": "default", "rope_theta": QWEN_CONFIG["rope_theta"]}
    return config | {"rope_parameters": rope, "attn_implementation": "eager"} | changes


def write_dream(
    folder: Path,
    *,
    expand: bool = False,
    dtype: torch.dtype = torch.bfloat16,
    shards: int = 3,
    layers: int = 2,
) -> nn.Module:
    """Dream, Dream-Coder, DiffuCoder; with `expand` DreamOn. Returns the reference with the same weights."""
    write_json(
        folder / "config.json",
        QWEN_CONFIG
        | {
            "model_type": "Dream",
            "architectures": ["DreamModel"],
            "auto_map": {"AutoModel": "modeling_dream.DreamModel"},
            "bos_token_id": ORDINARY,
            "eos_token_id": ORDINARY,
            "mask_token_id": ORDINARY + 4,
            "pad_token_id": ORDINARY,
            "max_position_embeddings": 131072,
            "num_hidden_layers": layers,
        },
    )
    write_json(folder / "generation_config.json", {"eos_token_id": ORDINARY, "mask_token_id": None})
    write_tokenizer(
        folder,
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|beginoftext|>", "<|mask|>"]
        + ["<|expand|>"] * expand,
        {"bos_token": "<|beginoftext|>", "eos_token": "<|endoftext|>", "mask_token": "<|mask|>"},
        "DreamTokenizer",
        whole=False,
    )
    model = qwen2(num_hidden_layers=layers)
    write_weights(folder, model.state_dict(), dtype, shards)
    return model


def write_llada(
    folder: Path, *, dtype: torch.dtype = torch.bfloat16, shards: int = 2, layers: int = 2
) -> nn.Module:
    write_json(
        folder / "config.json",
        {
            "model_type": "llada",
            "architectures": ["LLaDAModelLM"],
            "activation_type": "silu",
            "alibi": False,
            "attention_layer_norm": False,
            "block_type": "llama",
            "d_model": 32,
            "embedding_size": VOCABULARY,
            "eos_token_id": ORDINARY + 1,
            "include_bias": False,
            "include_qkv_bias": False,
            "input_emb_norm": False,
            "layer_norm_type": "rms",
            "mask_token_id": ORDINARY + 2,
            "max_sequence_length": 4096,
            "mlp_hidden_size": 48,
            "n_heads": 4,
            "n_kv_heads": 4,
            "n_layers": layers,
            "rms_norm_eps": 1e-2,  # larger than in any real one, so that it matters
            "rope_theta": 500000.0,
            "vocab_size": VOCABULARY,
            "weight_tying": False,
        },
    )
    write_tokenizer(
        folder,
        ["<|startoftext|>", "<|endoftext|>", "<|mdm_mask|>", "<|eot_id|>"],
        {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"},
        "PreTrainedTokenizerFast",
        whole=True,
    )
    rope = {"rope_type": "default", "rope_theta": 500000.0}
    model = llama(num_hidden_layers=layers, num_key_value_heads=4, rope_parameters=rope)
    write_weights(folder, {llada_name(k): v for k, v in model.state_dict().items()}, dtype, shards)
    return model


def llada_name(name: str) -> str:
    """Return LLaDA's name of Llama's parameter."""
    names = {
        "model.layers": "model.transformer.blocks",
        "model.embed_tokens": "model.transformer.wte",
        "model.norm": "model.transformer.ln_f",
        "lm_head": "model.transformer.ff_out",
        "input_layernorm": "attn_norm",
        "self_attn.o_proj": "attn_out",
        "self_attn.": "",
        "post_attention_layernorm": "ff_norm",
        "mlp.gate_proj": "ff_proj",
        "mlp.up_proj": "up_proj",
        "mlp.down_proj": "ff_out",
    }
    for theirs, ours in names.items():
        name = name.replace(theirs, ours)
    return name


def write_open_dcoder(
    folder: Path, *, dtype: torch.dtype = torch.bfloat16, shards: int = 1, layers: int = 2
) -> nn.Module:
    """A Qwen2 with a tied head, whose tokenizer alone tells the mask."""
    config = QWEN_CONFIG | {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}
    write_json(folder / "config.json", config | {"tie_word_embeddings": True, "num_hidden_layers": layers})
    write_tokenizer(
        folder,
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<M>"],
        {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "mask_token": "<M>"},
        "Qwen2Tokenizer",
        whole=True,
    )
    return _write_tied(folder, qwen2(tie_word_embeddings=True, num_hidden_layers=layers), dtype, shards)


def write_a2d(
    folder: Path, *, dtype: torch.dtype = torch.float32, shards: int = 1, layers: int = 2
) -> nn.Module:
    """A Qwen3 that was made a diffusion model."""
    config = QWEN_CONFIG | {
        "model_type": "a2d-qwen3",
        "architectures": ["A2DQwen3LMHeadModel"],
        "head_dim": 12,
    }
    config |= {"attention_bias": False, "tie_word_embeddings": True, "rope_theta": None}
    config["num_hidden_layers"] = layers
    rope = {"rope_type": "default", "rope_theta": QWEN_CONFIG["rope_theta"]}
    write_json(folder / "config.json", config | {"rope_parameters": rope})
    write_tokenizer(
        folder,
        ["<|endoftext|>", "<|im_end|>", "<|mask|>"],
        {"eos_token": "<|im_end|>", "mask_token": {"content": "<|mask|>", "special": True}},
        "Qwen2TokenizerFast",
        whole=True,
    )
    return _write_tied(folder, qwen3(tie_word_embeddings=True, num_hidden_layers=layers), dtype, shards)


def write_base(folder: Path, **changes: object) -> nn.Module:
    """A causal base as `models get` writes one, of the name "tiny"; `write_adapter_of` writes an adapter for it."""
    named = {"family": "causal", "base": "tiny", "fingerprint": FINGERPRINT}
    config = QWEN_CONFIG | {"model_type": "llama", "tie_word_embeddings": True, **named, **changes}
    write_json(folder / "config.json", config)
    write_tokenizer(folder, ["<|endoftext|>"], {}, "GPT2Tokenizer", whole=True)
    return _write_tied(folder, llama(tie_word_embeddings=True), torch.float16, 1)


def write_adapter_of(
    folder: Path, base: str = FINGERPRINT, seed: int = 0, **changes: object
) -> dict[str, Factors]:
    """Write an adapter for `write_base`, of every query and key, and return its factors."""
    random = torch.Generator().manual_seed(seed)
    names = [f"model.layers.{layer}.self_attn.{kind}_proj" for layer in range(2) for kind in "qk"]
    factors = {
        name: Factors(
            torch.randn(2, 32, generator=random), torch.randn(32 if "q_" in name else 16, 2, generator=random)
        )
        for name in names
    }
    write_adapter(
        folder,
        factors=factors,
        mask=torch.ones(32),
        base=base,
        base_name="tiny",
        metadata={"geometry": geometry(), "snippets": 1, "canvas": 9, **changes},
    )
    return factors


def _write_tied(folder: Path, model: nn.Module, dtype: torch.dtype, shards: int) -> nn.Module:
    tensors = dict(model.state_dict())
    del tensors["lm_head.weight"]
    write_weights(folder, tensors, dtype, shards)
    return model
