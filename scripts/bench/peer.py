"""The peer: an autoregressive llama of a given shape in llama.cpp, which writes one token a pass.

Its weights are random, which changes nothing about its speed. Needs llama-cpp-python, which the extra "bench" brings.
"""

from __future__ import annotations

import ctypes
import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

from dllm_lsp.models.network.transformer import TransformerConfig

FORMATS = {"f16": GGMLQuantizationType.F16, "q8_0": GGMLQuantizationType.Q8_0}
"""How weights can be stored."""


class PeerError(Exception):
    """llama.cpp is not there, or fails."""


class Tuning(NamedTuple):
    """What of llama.cpp is worth trying: threads, flash attention, and how many prompt tokens make a batch."""

    threads: int
    flash_attention: bool
    batch: int = 512


def llama_cpp() -> ModuleType:
    """Return llama.cpp's own interface; raise PeerError if it is not installed."""
    try:
        return importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError) as error:
        raise PeerError(f"not measured: pip install 'dllm-lsp[bench]' ({error})") from error


def write_llama(path: Path, shape: TransformerConfig, context: int, form: str) -> None:
    """Write a llama with this shape, random weights and a tied head, its matrices stored as one of FORMATS."""
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_tokenizer_model("no_vocab")
    random = np.random.default_rng(0)
    for name, size in _tensors(shape):
        if len(size) == 1:
            writer.add_tensor(name, np.ones(size, np.float32))
            continue
        weight = random.standard_normal(size, np.float32) * size[1] ** -0.5
        stored = gguf.quantize(weight, FORMATS[form])
        writer.add_tensor(name, stored, raw_dtype=FORMATS[form])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(shape: TransformerConfig) -> list[tuple[str, tuple[int, ...]]]:
    """Return the names that llama.cpp knows, with sizes [out, in]."""
    width, wide = shape.width, shape.feed_forward
    matrices = {
        "attn_q": (width, width),
        "attn_k": (width, width),
        "attn_v": (width, width),
        "attn_output": (width, width),
        "ffn_gate": (wide, width),
        "ffn_up": (wide, width),
        "ffn_down": (width, wide),
        "attn_norm": (width,),
        "ffn_norm": (width,),
    }
    layers = [
        (f"blk.{layer}.{name}.weight", size)
        for layer in range(shape.layers)
        for name, size in matrices.items()
    ]
    return [("token_embd.weight", (shape.vocabulary, width)), *layers, ("output_norm.weight", (width,))]


class Peer:
    """A model in llama.cpp with its prompt cached; `close` it when done."""

    def __init__(self, path: Path, prompt: int, tokens: int, tuning: Tuning) -> None:
        """Load it and encode `prompt` random tokens, with room for `tokens` more; raise PeerError."""
        self._api = llama_cpp()
        self._silence = self._api.llama_log_callback(lambda level, text, data: None)
        self._api.llama_log_set(self._silence, ctypes.c_void_p())
        self._model = self._api.llama_model_load_from_file(
            str(path).encode(), self._api.llama_model_default_params()
        )
        if not self._model:
            raise PeerError(f"llama.cpp cannot load {path}")
        parameters = self._api.llama_context_default_params()
        parameters.n_ctx = prompt + tokens
        parameters.n_batch = parameters.n_ubatch = tuning.batch
        parameters.n_threads = parameters.n_threads_batch = tuning.threads
        parameters.flash_attn_type = int(tuning.flash_attention)
        self._context = self._api.llama_init_from_model(self._model, parameters)
        if not self._context:
            self._api.llama_model_free(self._model)
            raise PeerError(f"llama.cpp makes no context of {prompt + tokens} tokens")
        self._vocabulary = self._api.llama_vocab_n_tokens(self._api.llama_model_get_vocab(self._model))
        self._prompt: list[int] = np.random.default_rng(0).integers(0, self._vocabulary, prompt).tolist()
        self._batch = tuning.batch
        self.encode()

    def encode(self) -> float:
        """Encode the prompt from nothing; return the milliseconds."""
        began = time.perf_counter()
        self._forget(0)
        for start in range(0, len(self._prompt), self._batch):
            self._decode(self._prompt[start : start + self._batch])
        self._best()
        return 1000 * (time.perf_counter() - began)

    def write(self, tokens: int) -> float:
        """Write `tokens` behind the cached prompt, each the likeliest; return the milliseconds."""
        self._forget(len(self._prompt))
        began = time.perf_counter()
        token = self._prompt[-1]
        for _ in range(tokens):
            self._decode([token])
            token = self._best()
        return 1000 * (time.perf_counter() - began)

    def close(self) -> None:
        """Free what llama.cpp holds."""
        self._api.llama_free(self._context)
        self._api.llama_model_free(self._model)

    def _forget(self, length: int) -> None:
        """Keep the first `length` tokens."""
        self._api.llama_memory_seq_rm(self._api.llama_get_memory(self._context), 0, length, -1)

    def _decode(self, tokens: Sequence[int]) -> None:
        ids = (ctypes.c_int32 * len(tokens))(*tokens)  # a batch points to them and does not keep them
        if status := self._api.llama_decode(self._context, self._api.llama_batch_get_one(ids, len(tokens))):
            raise PeerError(f"llama.cpp fails to decode {len(tokens)} tokens: status {status}")

    def _best(self) -> int:
        logits = self._api.llama_get_logits_ith(self._context, -1)
        return int(np.ctypeslib.as_array(logits, (self._vocabulary,)).argmax())
