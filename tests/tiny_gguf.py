"""A Llama of a few thousand random weights as llama.cpp's converter writes it, and wheels that hold one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

import gguf
import numpy as np
from gguf import GGMLQuantizationType
from numpy.typing import NDArray
from tiny_checkpoints import trained_encoder

from dllm_lsp.fetching.offers import Expected, Offer

Arrays = dict[str, NDArray[np.float32]]

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MEMBER = "tiny/tiny.gguf"

LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


class Shape(NamedTuple):
    layers: int = 2
    heads: int = 4
    key_value_heads: int = 2
    head: int = 16
    feed_forward: int = 96
    tied: bool = True

    @property
    def width(self) -> int:
        return self.heads * self.head


def vocabulary() -> tuple[list[str], list[str]]:
    """Tokens by id, the special ones first, and merges."""
    model = json.loads(trained_encoder().to_str())["model"]
    ordinary = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return SPECIAL + ordinary, [" ".join(merge) for merge in model["merges"]]


def weights(shape: Shape, seed: int = 0) -> Arrays:
    """Random weights under transformers' names."""
    random, width, size = np.random.default_rng(seed), shape.width, len(vocabulary()[0])
    kept = shape.key_value_heads * shape.head
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens": (size, width), "model.norm": (width,)}
    shapes |= {} if shape.tied else {"lm_head": (size, width)}
    for i in range(shape.layers):
        layer: dict[str, tuple[int, ...]] = {
            "input_layernorm": (width,),
            "self_attn.q_proj": (width, width),
            "self_attn.k_proj": (kept, width),
            "self_attn.v_proj": (kept, width),
            "self_attn.o_proj": (width, width),
            "post_attention_layernorm": (width,),
            "mlp.gate_proj": (shape.feed_forward, width),
            "mlp.up_proj": (shape.feed_forward, width),
            "mlp.down_proj": (width, shape.feed_forward),
        }
        shapes |= {f"model.layers.{i}.{name}": value for name, value in layer.items()}
    return {
        f"{name}.weight": random.normal(len(value) == 1, 0.3, value).astype(np.float32)
        for name, value in shapes.items()
    }


def metadata(shape: Shape) -> dict[str, Any]:
    tokens, merges = vocabulary()
    return {
        "llama.block_count": shape.layers,
        "llama.context_length": 256,
        "llama.embedding_length": shape.width,
        "llama.feed_forward_length": shape.feed_forward,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.key_value_heads,
        "llama.rope.freq_base": 10_000.0,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": shape.head,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)),
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


def write_gguf(
    path: Path,
    shape: Shape,
    arrays: Mapping[str, NDArray[np.float32]],
    kind: GGMLQuantizationType = GGMLQuantizationType.F32,
    said: Mapping[str, Any] | None = None,
    architecture: str = "llama",
) -> None:
    """Write weights under transformers' names, matrices as `kind`; `said` replaces metadata, None takes one away."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (metadata(shape) | dict(said or {})).items():
        if isinstance(value, bool | float | int | str):
            add = {bool: writer.add_bool, float: writer.add_float32, int: writer.add_uint32}
            add.get(type(value), writer.add_string)(key, value)  # type: ignore[operator]
        elif value is not None:
            writer.add_array(key, value)
    for name, array in arrays.items():
        is_rotated = "q_proj" in name or "k_proj" in name
        values = as_llama_cpp_lays(array, len(array) // shape.head) if is_rotated else array
        if values.ndim == 1:
            writer.add_tensor(gguf_name(name), values)
        else:
            writer.add_tensor(gguf_name(name), gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(name: str) -> str:
    """llama.cpp's name of transformers' parameter; any other name stays."""
    part = name.removesuffix(".weight")
    if part in TOP:
        return f"{TOP[part]}.weight"
    if not part.startswith("model.layers."):
        return name
    layer, rest = part.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{LAYER[rest]}.weight"


def as_llama_cpp_lays(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """llama.cpp's `permute`, in its conversion of Llama."""
    return rows.reshape(heads, 2, len(rows) // heads // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def expected(path: Path) -> Expected:
    content = path.read_bytes()
    return Expected(len(content), hashlib.sha256(content).hexdigest())


def write_wheel(folder: Path, source: Path) -> Path:
    """A wheel as an installer takes it, with code that must never run."""
    wheel = folder / "tiny_model-1.0-py3-none-any.whl"
    with ZipFile(wheel, "w", ZIP_DEFLATED) as archive:
        archive.write(source, MEMBER)
        archive.writestr("tiny/__init__.py", "raise SystemExit('this code was run')\n")
        about = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: nowhere-to-be-had\n"
        archive.writestr("tiny_model-1.0.dist-info/METADATA", about)
        kind = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr("tiny_model-1.0.dist-info/WHEEL", kind)
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
    return wheel


def offer_of(source: Path, wheel: Path) -> Offer:
    return Offer(
        name="tiny",
        distribution="tiny-model",
        version="1.0",
        member=MEMBER,
        wheel=expected(wheel),
        gguf=expected(source),
        parameters=100_000,
        licence="Apache-2.0",
        good_at="tests",
        origin="Random weights.",
    )
