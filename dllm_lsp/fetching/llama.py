"""A Llama as llama.cpp's converter writes it, turned back into what transformers calls one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from dllm_lsp.fetching.errors import GgufError
from dllm_lsp.fetching.gguf_file import Floats, GgufFile

_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_Positive = Annotated[float, Meta(gt=0)]

_TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""Names in a GGUF file, and what transformers calls the same."""


class Llama(Struct, frozen=True, kw_only=True):
    """The shape of the network, under llama.cpp's names. Variants of RoPE, experts and odd head widths are refused."""

    architecture: Literal["llama"] = field(name="general.architecture")
    layers: Annotated[int, Meta(ge=1, le=1_000)] = field(name="llama.block_count")
    width: _Count = field(name="llama.embedding_length")
    feed_forward: _Count = field(name="llama.feed_forward_length")
    heads: _Count = field(name="llama.attention.head_count")
    key_value_heads: _Count = field(name="llama.attention.head_count_kv")
    positions: _Count = field(name="llama.context_length")
    rope_theta: _Positive = field(name="llama.rope.freq_base")
    norm_epsilon: _Positive = field(name="llama.attention.layer_norm_rms_epsilon")
    rotated: _Count = field(name="llama.rope.dimension_count")
    key_width: _Count | None = field(name="llama.attention.key_length", default=None)
    value_width: _Count | None = field(name="llama.attention.value_length", default=None)
    scaling: Literal["none"] = field(name="llama.rope.scaling.type", default="none")
    experts: Literal[0] = field(name="llama.expert_count", default=0)
    begin: int = field(name="tokenizer.ggml.bos_token_id")
    end: int = field(name="tokenizer.ggml.eos_token_id")

    def __post_init__(self) -> None:
        """Raise ValueError for figures that contradict each other."""
        head = self.width // self.heads
        if self.width % self.heads or head % 2 or self.heads % self.key_value_heads:
            raise ValueError(
                f"{self.width} values cannot be shared by {self.heads} heads and {self.key_value_heads} key-value heads"
            )
        if {self.rotated, self.key_width or head, self.value_width or head} != {head}:
            raise ValueError(f"its heads are not {head} values wide, or not rotated as a whole")

    def shapes(self, vocabulary: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of every tensor, but for a head of its own; `vocabulary` is the number of tokens."""
        square, kept = (self.width, self.width), self.key_value_heads * self.width // self.heads
        layer: dict[str, tuple[int, ...]] = {
            "attn_norm": (self.width,),
            "attn_q": square,
            "attn_k": (kept, self.width),
            "attn_v": (kept, self.width),
            "attn_output": square,
            "ffn_norm": (self.width,),
            "ffn_gate": (self.feed_forward, self.width),
            "ffn_up": (self.feed_forward, self.width),
            "ffn_down": (self.width, self.feed_forward),
        }
        found: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (vocabulary, self.width),
            "output_norm.weight": (self.width,),
        }
        for i in range(self.layers):
            found |= {f"blk.{i}.{part}.weight": shape for part, shape in layer.items()}
        return found


def read_llama(file: GgufFile, vocabulary: int) -> Llama:
    """Return the shape of the Llama in a file with so many tokens; raise GgufError if its tensors are not of it."""
    llama = file.metadata(Llama)
    expected = llama.shapes(vocabulary)
    if "output.weight" in file.shapes:
        expected["output.weight"] = (vocabulary, llama.width)
    for name in sorted(expected.keys() | file.shapes.keys()):
        is_, must = file.shapes.get(name), expected.get(name)
        if is_ != must:
            raise GgufError(
                f"{file.path} is no such Llama: {name} is {_shown(is_)}, but should be {_shown(must)}"
            )
    if not (0 <= llama.begin < vocabulary and 0 <= llama.end < vocabulary):
        raise GgufError(f"{file.path} begins or ends texts with a token that it has not")
    return llama


def parameters(file: GgufFile, llama: Llama) -> Iterator[tuple[str, Floats]]:
    """Yield every parameter under transformers' name; raise GgufError for one that cannot be read."""
    for name in file.shapes:
        part = name.removesuffix(".weight")
        values = file.floats(name)
        if part in _TOP:
            yield f"{_TOP[part]}.weight", values
            continue
        _, layer, part = part.split(".")
        if part in ("attn_q", "attn_k"):
            values = rotated_in_halves(values, llama.width // llama.heads)
        yield f"model.layers.{layer}.{_LAYER[part]}.weight", values


def rotated_in_halves(rows: Floats, head: int) -> Floats:
    """Return the rows of queries or keys in transformers' order, in which RoPE turns value i with value i + head / 2.

    llama.cpp turns neighbours, and its converter lays the rows so (`permute` in its conversion of Llama).
    """
    width = rows.shape[-1]
    return rows.reshape(-1, head // 2, 2, width).swapaxes(1, 2).reshape(-1, width)


def config(llama: Llama, file: GgufFile, vocabulary: int) -> dict[str, Any]:
    """Return `config.json` as transformers writes it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "bos_token_id": llama.begin,
        "dtype": "float16",
        "eos_token_id": llama.end,
        "head_dim": llama.width // llama.heads,
        "hidden_act": "silu",
        "hidden_size": llama.width,
        "intermediate_size": llama.feed_forward,
        "max_position_embeddings": llama.positions,
        "mlp_bias": False,
        "num_attention_heads": llama.heads,
        "num_hidden_layers": llama.layers,
        "num_key_value_heads": llama.key_value_heads,
        # Seven digits are all that a float32 has: 1e-5, and not 9.999999747378752e-06.
        "rms_norm_eps": float(f"{llama.norm_epsilon:.7g}"),
        "rope_parameters": {"rope_theta": float(f"{llama.rope_theta:.7g}"), "rope_type": "default"},
        "tie_word_embeddings": "output.weight" not in file.shapes,
        "vocab_size": vocabulary,
    }


def _shown(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else "x".join(map(str, shape))
