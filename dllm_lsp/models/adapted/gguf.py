"""A base and its tokenizer from one GGUF file, read as data: quantized matrices become plain ones.

Knows Llama-shaped files of llama.cpp, which orders the rows of query and key matrices for a rotation of neighboring
pairs; here the rotation pairs the halves of a head, as in the published weights, so the order is undone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer as BytePairEncoder
from tokenizers import decoders, models, pre_tokenizers
from torch import Tensor

from dllm_lsp.models.adapted.base import Base, BaseShape, Layer
from dllm_lsp.models.errors import CheckpointError
from dllm_lsp.models.tokenizer import TextTokenizer, token_bytes

_ORDINARY = 1  # GGUF's type of a token that text may become


def read_gguf(path: Path, device: torch.device, dtype: torch.dtype) -> tuple[Base, TextTokenizer]:
    """Read a file; raise CheckpointError if it cannot be read or has another shape than Llama's."""
    import gguf  # noqa: PLC0415  # an optional dependency

    try:
        reader = gguf.GGUFReader(path)
        fields = {name: field.contents() for name, field in reader.fields.items()}
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        if fields.get("general.architecture") != "llama":
            raise CheckpointError(f"{path} holds a {fields.get('general.architecture')} network, not a llama")

        def plain(name: str) -> Tensor:
            found = tensors[name]
            return torch.from_numpy(
                np.array(gguf.quants.dequantize(found.data, found.tensor_type), np.float32)
            )

        shape = _shape(fields, len(fields["tokenizer.ggml.tokens"]))
        return _base(plain, shape, device, dtype), _tokenizer(fields)
    except (KeyError, ValueError, OSError, IndexError) as error:
        raise CheckpointError(f"{path} cannot be read as a base: {error}") from error


def _shape(fields: dict[str, Any], vocabulary: int) -> BaseShape:
    return BaseShape(
        layers=fields["llama.block_count"],
        width=fields["llama.embedding_length"],
        heads=fields["llama.attention.head_count"],
        key_heads=fields["llama.attention.head_count_kv"],
        inner=fields["llama.feed_forward_length"],
        vocabulary=vocabulary,
        epsilon=fields["llama.attention.layer_norm_rms_epsilon"],
        theta=fields["llama.rope.freq_base"],
    )


def _base(plain: Callable[[str], Tensor], shape: BaseShape, device: torch.device, dtype: torch.dtype) -> Base:
    def matrix(*names: str) -> Tensor:
        return torch.cat([plain(name) for name in names]).to(device, dtype)

    def norm(name: str) -> Tensor:
        return plain(name).to(device)

    def layer(i: int) -> Layer:
        at = f"blk.{i}"
        q = _unpermuted(plain(f"{at}.attn_q.weight"), shape.heads)
        k = _unpermuted(plain(f"{at}.attn_k.weight"), shape.key_heads)
        return Layer(
            attention_norm=norm(f"{at}.attn_norm.weight"),
            qkv=torch.cat([q, k, plain(f"{at}.attn_v.weight")]).to(device, dtype),
            out=matrix(f"{at}.attn_output.weight"),
            feed_norm=norm(f"{at}.ffn_norm.weight"),
            gate_up=matrix(f"{at}.ffn_gate.weight", f"{at}.ffn_up.weight"),
            down=matrix(f"{at}.ffn_down.weight"),
        )

    layers = tuple(layer(i) for i in range(shape.layers))
    return Base(shape, matrix("token_embd.weight"), layers, norm("output_norm.weight"))


def _unpermuted(matrix: Tensor, heads: int) -> Tensor:
    rows, width = matrix.shape
    pairs = matrix.view(heads, rows // heads // 2, 2, width)
    return pairs.transpose(1, 2).reshape(rows, width)


def _tokenizer(fields: dict[str, Any]) -> TextTokenizer:
    """Build SmolLM's: single digits, then GPT-2's words."""
    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    ids = {token: i for i, token in enumerate(tokens)}
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    encoder = BytePairEncoder(models.BPE(ids, merges))
    encoder.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    encoder.decoder = decoders.ByteLevel()
    ordinary = {token: i for token, i in ids.items() if kinds[i] == _ORDINARY}
    return TextTokenizer(encoder, token_bytes(ordinary))
