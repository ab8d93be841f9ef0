"""How families name their parameters, and where those belong in the network of `transformer.py`."""

from __future__ import annotations

import re
from typing import NamedTuple

from dllm_lsp.models.checkpoints.weights import Place
from dllm_lsp.models.network.transformer import TransformerConfig


class Layout(NamedTuple):
    """Names of a family's tensors. `block` says which module of ours a layer's module is, and which part of it."""

    layers: str
    outside: dict[str, str]
    block: dict[str, tuple[str, int]]

    def place(self, name: str, config: TransformerConfig) -> Place | None:
        """Return where the tensor belongs in the network, None if the family has none of that name."""
        module, _, kind = name.rpartition(".")
        if module in self.outside:
            return Place(f"{self.outside[module]}.{kind}")
        match = re.fullmatch(rf"{re.escape(self.layers)}\.(\d+)\.(.+)", module)
        if match is None or match[2] not in self.block:
            return None
        target, part = self.block[match[2]]
        parameter = f"blocks.{match[1]}.{target}.{kind}"
        rows = _parts(config).get(target)
        return Place(parameter) if rows is None else Place(parameter, sum(rows[:part]), rows[part])


def _parts(config: TransformerConfig) -> dict[str, list[int]]:
    """Return, for each matrix of the network that checkpoints store as several, how many rows each of these has."""
    queries, keys = config.heads * config.head_width, config.key_value_heads * config.head_width
    return {"attention.qkv": [queries, keys, keys], "feed_forward.gate_up": [config.feed_forward] * 2}


QWEN = Layout(
    layers="model.layers",
    outside={"model.embed_tokens": "embedding", "model.norm": "norm", "lm_head": "head"},
    block={
        "input_layernorm": ("attention_norm", 0),
        "self_attn.q_proj": ("attention.qkv", 0),
        "self_attn.k_proj": ("attention.qkv", 1),
        "self_attn.v_proj": ("attention.qkv", 2),
        "self_attn.q_norm": ("attention.query_norm", 0),
        "self_attn.k_norm": ("attention.key_norm", 0),
        "self_attn.o_proj": ("attention.out", 0),
        "post_attention_layernorm": ("feed_forward_norm", 0),
        "mlp.gate_proj": ("feed_forward.gate_up", 0),
        "mlp.up_proj": ("feed_forward.gate_up", 1),
        "mlp.down_proj": ("feed_forward.down", 0),
    },
)
"""Qwen2, Qwen3 and Llama, and with them Dream and Open-dCoder."""

LLADA = Layout(
    layers="model.transformer.blocks",
    outside={
        "model.transformer.wte": "embedding",
        "model.transformer.ln_f": "norm",
        "model.transformer.ff_out": "head",
    },
    block={
        "attn_norm": ("attention_norm", 0),
        "q_proj": ("attention.qkv", 0),
        "k_proj": ("attention.qkv", 1),
        "v_proj": ("attention.qkv", 2),
        "attn_out": ("attention.out", 0),
        "ff_norm": ("feed_forward_norm", 0),
        "ff_proj": ("feed_forward.gate_up", 0),
        "up_proj": ("feed_forward.gate_up", 1),
        "ff_out": ("feed_forward.down", 0),
    },
)
"""LLaDA, whose layers descend from OLMo's."""
