"""A tiny base as a GGUF file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from tiny_base import SHAPE, SPECIAL, base, published, tokenizer
from torch import Tensor

NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def permuted(matrix: Tensor, heads: int) -> Tensor:
    """As llama.cpp's converter does it: the halves of each head become neighboring pairs."""
    rows, width = matrix.shape
    return matrix.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def write_gguf(path: Path, architecture: str = "llama") -> None:
    writer = GGUFWriter(path, architecture)
    writer.add_context_length(2048)
    writer.add_embedding_length(SHAPE.width)
    writer.add_block_count(SHAPE.layers)
    writer.add_feed_forward_length(SHAPE.inner)
    writer.add_head_count(SHAPE.heads)
    writer.add_head_count_kv(SHAPE.key_heads)
    writer.add_rope_freq_base(SHAPE.theta)
    writer.add_layer_norm_rms_eps(SHAPE.epsilon)
    encoder = tokenizer()._encoder
    ids = sorted(encoder.get_vocab(), key=encoder.get_vocab().__getitem__)
    tokens = [*(f"<|{n}|>" for n in range(SPECIAL)), *ids]
    writer.add_token_list(tokens)
    writer.add_token_types([3] * SPECIAL + [1] * len(ids))
    merges = json.loads(encoder.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    tensors = {"token_embd.weight": base().embedding, "output_norm.weight": base().norm}
    for number, layer in enumerate(base().layers):
        weights = published(layer)
        for name, known in NAMES.items():
            value = weights[known]
            heads = {"attn_q": SHAPE.heads, "attn_k": SHAPE.key_heads}.get(name)
            tensors[f"blk.{number}.{name}.weight"] = permuted(value, heads) if heads else value
    for name, value in tensors.items():
        writer.add_tensor(name, value.numpy().astype(np.float32).copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
