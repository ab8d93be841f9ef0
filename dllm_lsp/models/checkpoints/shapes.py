"""From a checkpoint's `config.json` to the shape of the network. Says no to what the network cannot be."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

from msgspec import Meta, Struct, ValidationError, convert

from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.network.transformer import Count, TransformerConfig

_Positions = Annotated[int, Meta(ge=64)]
_Config = TypeVar("_Config", bound=Struct)


class Shape(NamedTuple):
    """A network, and the longest sequence it was trained with."""

    transformer: TransformerConfig
    positions: int


class _QwenConfig(Struct, frozen=True):
    vocab_size: Count
    hidden_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    intermediate_size: Count
    rms_norm_eps: float
    max_position_embeddings: _Positions
    num_key_value_heads: Count | None = None
    head_dim: Count | None = None
    rope_theta: float | None = None
    rope_parameters: dict[str, Any] | None = None
    rope_scaling: dict[str, Any] | None = None
    attention_bias: bool | None = None
    tie_word_embeddings: bool = False


class _LladaConfig(Struct, frozen=True):
    vocab_size: Count
    d_model: Count
    n_layers: Count
    n_heads: Count
    mlp_hidden_size: Count
    max_sequence_length: _Positions
    rope_theta: float
    rms_norm_eps: float
    n_kv_heads: Count | None = None
    embedding_size: Count | None = None
    include_qkv_bias: bool = False
    weight_tying: bool = False


def qwen_shape(config: Mapping[str, Any], tensors: Collection[str], *, bias: bool, qk_norm: bool) -> Shape:
    """Return the shape of a Qwen2, Qwen3 or Llama; `bias` holds where the configuration does not say.

    A head of its own among the `tensors` is used, whatever the configuration says. Raises CheckpointError.
    """
    _expect(config, hidden_act="silu", use_sliding_window=False, mlp_bias=False)
    read = _made(config, _QwenConfig)
    rope = {"rope_theta": read.rope_theta} | (read.rope_scaling or {}) | (read.rope_parameters or {})
    _expect({"rope_type": "default"} | rope, rope_type="default", type=False)
    transformer = {
        "vocabulary": read.vocab_size,
        "width": read.hidden_size,
        "layers": read.num_hidden_layers,
        "heads": read.num_attention_heads,
        "key_value_heads": read.num_key_value_heads or 0,
        "head_width": read.head_dim or 0,
        "feed_forward": read.intermediate_size,
        "rope_theta": rope["rope_theta"],
        "norm_epsilon": read.rms_norm_eps,
        "bias": bias if read.attention_bias is None else read.attention_bias,
        "qk_norm": qk_norm,
        "tied": read.tie_word_embeddings and "lm_head.weight" not in tensors,
    }
    return Shape(_made(transformer, TransformerConfig), read.max_position_embeddings)


def llada_shape(config: Mapping[str, Any]) -> Shape:
    """Return the shape of a LLaDA, whose configuration descends from OLMo's; raise CheckpointError."""
    _expect(config, block_type="llama", layer_norm_type="rms", activation_type="silu")
    _expect(config, include_bias=False, attention_layer_norm=False, alibi=False, input_emb_norm=False)
    read = _made(config, _LladaConfig)
    transformer = {
        "vocabulary": read.embedding_size or read.vocab_size,
        "width": read.d_model,
        "layers": read.n_layers,
        "heads": read.n_heads,
        "key_value_heads": read.n_kv_heads or 0,
        "feed_forward": read.mlp_hidden_size,
        "rope_theta": read.rope_theta,
        "norm_epsilon": read.rms_norm_eps,
        "bias": read.include_qkv_bias,
        "qk_norm": False,
        "tied": read.weight_tying,
    }
    return Shape(_made(transformer, TransformerConfig), read.max_sequence_length)


def _expect(config: Mapping[str, Any], **needed: str | bool) -> None:
    """Raise CheckpointError unless every setting is as the network needs it; one that is absent is false."""
    for key, value in needed.items():
        if (config.get(key) or False) != value:
            raise CheckpointError(f"config.json has {key} = {config.get(key)}, but only {value} is supported")


def _made(fields: Mapping[str, Any], kind: type[_Config]) -> _Config:
    try:
        return convert(fields, kind)
    except ValidationError as error:
        raise CheckpointError(f"config.json describes no network that can be built: {error}") from error
