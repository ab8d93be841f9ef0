"""The peer: a base in llama.cpp, which sees the code before the cursor and writes one token a pass.

Needs llama-cpp-python, which the extra "bench" brings.
"""

from __future__ import annotations

import ctypes
import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch

from dllm_lsp.engine.adapters.causal import MASK, CausalInfilling, CausalTokens
from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.tokens import shared_prefix
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled, Piece
from dllm_lsp.models.adapted.geometry import END, HEAD
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer


class PeerError(Exception):
    """llama.cpp is not there, or fails."""


class Tuning(NamedTuple):
    """What of llama.cpp is worth trying: threads, flash attention, and how many prompt tokens make a batch."""

    threads: int
    flash_attention: bool
    batch: int = 512

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"{threads}{', flash attention' * self.flash_attention}, batches of {self.batch}"


def llama_cpp() -> ModuleType:
    """Return llama.cpp's own interface; raise PeerError if it is not installed."""
    try:
        return importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError) as error:
        raise PeerError(f"llama.cpp cannot be loaded: pip install 'dllm-lsp[bench]' ({error})") from error


class Peer:
    """A base in llama.cpp, its prompt cached; `close` it when done.

    It is given the tokens that `reader`, the same base with an adapter, reads before a hole, and writes the word that
    the cursor cuts anew as the engine does. It has no end of its own but that of a text.
    """

    def __init__(self, path: Path, reader: CausalInfilling, tokenizer: TextTokenizer, tuning: Tuning) -> None:
        """Load a GGUF file; raise PeerError."""
        self._reader, self._tokenizer, self._batch = reader, tokenizer, tuning.batch
        self._api = llama_cpp()
        self._silence = self._api.llama_log_callback(lambda level, text, data: None)
        self._api.llama_log_set(self._silence, ctypes.c_void_p())
        self._model = self._api.llama_model_load_from_file(
            str(path).encode(), self._api.llama_model_default_params()
        )
        if not self._model:
            raise PeerError(f"llama.cpp cannot load {path}")
        parameters = self._api.llama_context_default_params()
        parameters.n_ctx = room = 1 + reader.before + reader.canvas
        parameters.n_batch = parameters.n_ubatch = tuning.batch
        parameters.n_threads = parameters.n_threads_batch = tuning.threads
        parameters.flash_attn_type = int(tuning.flash_attention)
        self._context = self._api.llama_init_from_model(self._model, parameters)
        if not self._context:
            self._api.llama_model_free(self._model)
            raise PeerError(f"llama.cpp makes no context of {room} tokens")
        self._vocabulary = self._api.llama_vocab_n_tokens(self._api.llama_model_get_vocab(self._model))
        self._cached: list[int] = []

    def encode(self, hole: Hole) -> float:
        """Encode the code before a hole from nothing; return the milliseconds."""
        began = time.perf_counter()
        self._cached = []
        self._become(_prompt(self._reader.read(hole)))
        return 1000 * (time.perf_counter() - began)

    def infill(self, hole: Hole, limits: Limits) -> Infilled:
        """Write what follows the code before a hole, each token the likeliest.

        It stops behind as many tokens as the limits allow, and, unless they are exact, at a token without a text, and
        behind a line end if a line is asked for.
        """
        tokens = self._reader.read(hole)
        prompt, left = _prompt(tokens), len(tokens.stem)
        self._become(prompt)
        token, written, text = prompt[-1], list[int](), ""
        while len(written) < limits.tokens:
            self._decode([token])
            token = self._best(tokens.stem, written)
            if not (limits.exact or self._tokenizer.spelled(token)):
                break
            written.append(token)
            text = self._tokenizer.decode(written)
            if limits.extent == "line" and "\n" in text[left:]:
                break
        pieces = []
        for each in self._tokenizer.pieces(written):
            pieces.append(Piece(each[left:], 1.0))
            left = max(0, left - len(each))
        return Infilled(pieces=tuple(pieces), end=1.0, steps=len(written))

    def close(self) -> None:
        """Free what llama.cpp holds."""
        self._api.llama_free(self._context)
        self._api.llama_model_free(self._model)

    def _become(self, prompt: Sequence[int]) -> None:
        """Have all of a prompt cached but its last token, which the first pass reads; what was written is forgotten."""
        known = list(prompt[:-1])
        shared = shared_prefix(self._cached, known)
        self._api.llama_memory_seq_rm(self._api.llama_get_memory(self._context), 0, shared, -1)
        for start in range(shared, len(known), self._batch):
            self._decode(known[start : start + self._batch])
        self._cached = known

    def _decode(self, tokens: Sequence[int]) -> None:
        ids = (ctypes.c_int32 * len(tokens))(*tokens)  # a batch points to them and does not keep them
        if status := self._api.llama_decode(self._context, self._api.llama_batch_get_one(ids, len(tokens))):
            raise PeerError(f"llama.cpp fails to decode {len(tokens)} tokens: status {status}")

    def _best(self, stem: str, written: Sequence[int]) -> int:
        """Return the likeliest token behind what is written, of those that spell what is left of the stem."""
        pointer = self._api.llama_get_logits_ith(self._context, -1)
        logits = torch.from_numpy(np.ctypeslib.as_array(pointer, (self._vocabulary,)))
        if len(self._tokenizer.decode(written)) >= len(stem):
            return int(logits.argmax())
        canvas = torch.tensor([[*written, MASK, MASK]])  # the last mask says that more may follow
        rows = logits.repeat(1, canvas.shape[1], 1)
        Stem(stem, self._tokenizer).narrow(canvas, MASK, rows)
        return int(rows[0, len(written)].argmax())


def _prompt(tokens: CausalTokens) -> list[int]:
    """Return the code before a hole as the base has seen texts: behind the end of another one."""
    return [END, *tokens.before.ids[HEAD:]]
