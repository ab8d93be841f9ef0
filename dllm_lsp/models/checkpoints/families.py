"""Which family a checkpoint is of, and what its files say of it: shape, special tokens, shift, context.

This engine fills holes with networks in which every token sees every other. A checkpoint that is not surely one of
these is refused, with what was found and what is supported. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.layouts import LLADA, QWEN, Layout
from dllm_lsp.models.checkpoints.shapes import llada_shape, qwen_shape
from dllm_lsp.models.checkpoints.vocabulary import Vocabulary
from dllm_lsp.models.network.transformer import TransformerConfig

SUPPORTED = (
    "Dream (Dream-v0, Dream-Coder, DiffuCoder, DreamOn), LLaDA (8B, 1.5), Open-dCoder and others trained like it "
    "from Qwen2 and Qwen3, A2D models with full attention, and what dllm-lsp trains"
)

DREAM_POSITIONS = 2048
"""What Dream documents; its configuration repeats the 131,072 of the model it began as."""

_REFUSED = {
    "llada2": "LLaDA2 attends block by block",
    "llada_moe": "LLaDA-MoE is a mixture of experts",
    "lladamoe": "LLaDA-MoE is a mixture of experts",
    "sdar": "SDAR attends block by block",
    "fast_dllm": "Fast-dLLM-v2 attends block by block",
    "wedlm": "WeDLM attends causally",
    "nemotron": "Nemotron's diffusion models attend block by block",
    "diffusion_gemma": "DiffusionGemma reads its prompt causally",
    "llama": "this is an autoregressive Llama, or Stable-DiffCoder, which attends block by block",
}
"""Beginnings of model types that are known but cannot be served, and why."""

_BLOCK_KEYS = ("block_size", "bd_size", "block_length")
_PLAIN_ARCHITECTURES = {"Qwen2ForCausalLM", "Qwen3ForCausalLM"}
_EXPAND = "<|expand|>"


class Family(NamedTuple):
    """A checkpoint's facts; `positions` is the longest sequence it was trained with.

    `shifted` logits of a position are of the token at the next. `begin` and `end` stand around the whole text, where
    the family was trained so.
    """

    name: str
    layout: Layout
    transformer: TransformerConfig
    positions: int
    shifted: bool
    mask: int
    delete: int | None
    expand: int | None
    begin: int | None
    end: int | None


class _Kind(NamedTuple):
    """What a model type implies. Where `shifted` is None, the configuration says it."""

    name: str
    shifted: bool | None
    framed: bool = False
    bias: bool = True
    qk_norm: bool = False


_KINDS = {
    "Dream": _Kind("Dream", shifted=True, framed=True),
    "llada": _Kind("LLaDA", shifted=False),
    "qwen2": _Kind("Open-dCoder", shifted=True),
    "qwen3": _Kind("Open-dCoder (Qwen3)", shifted=True, bias=False, qk_norm=True),
    "a2d-qwen2": _Kind("A2D (Qwen2)", shifted=None),
    "a2d-qwen3": _Kind("A2D (Qwen3)", shifted=None, bias=False, qk_norm=True),
    "a2d-llama": _Kind("A2D (Llama)", shifted=None, bias=False),
}


class Files(NamedTuple):
    """What a folder holds: `config.json`, `generation_config.json`, the names of its tensors, its vocabulary.

    `origin` is the folder's own name, in which a download keeps that of its repository.
    """

    origin: str
    config: Mapping[str, Any]
    generation: Mapping[str, Any]
    tensors: Collection[str]
    vocabulary: Vocabulary

    def special(self, name: str) -> int | None:
        """Return the id of the "mask", "expand" or "delete" token, None if no file has one.

        Raises CheckpointError if two files disagree.
        """
        key = f"{name}_token_id"
        said = {
            "config.json": self.config.get(key),
            "generation_config.json": self.generation.get(key),
            "tokenizer_config.json": self.vocabulary.role(f"{name}_token"),
        }
        said = {file: i for file, i in said.items() if i is not None}
        if len(set(said.values())) > 1:
            told = ", ".join(f"{i} in {file}" for file, i in said.items())
            raise CheckpointError(f"its files disagree about the {name} token: {told}")
        return next(iter(said.values()), None)


def recognize(files: Files) -> Family:
    """Return the family of a checkpoint; raise CheckpointError, whose message does not name the folder."""
    name = str(files.config.get("model_type"))
    _refuse_what_attends_otherwise(name, files)
    kind = _KINDS[name]
    mask = files.special("mask")
    if mask is None:
        raise _refusal(
            f'model_type "{name}" without a mask token in any file: an autoregressive model has none'
        )
    expand, delete = _length_tokens(files)
    if name == "llada":
        shape = llada_shape(files.config)
    else:
        shape = qwen_shape(files.config, files.tensors, bias=kind.bias, qk_norm=kind.qk_norm)
    family = Family(
        name="DreamOn" if name == "Dream" and expand is not None else kind.name,
        layout=LLADA if name == "llada" else QWEN,
        transformer=shape.transformer,
        positions=min(shape.positions, DREAM_POSITIONS) if name == "Dream" else shape.positions,
        shifted=bool(files.config.get("right_shift_logits")) if kind.shifted is None else kind.shifted,
        mask=mask,
        delete=delete,
        expand=expand,
        begin=_frame("bos_token", files) if kind.framed else None,
        end=_frame("eos_token", files) if kind.framed else None,
    )
    _check_ids(family, files.vocabulary)
    return family


def _refusal(found: str) -> CheckpointError:
    return CheckpointError(f"found {found}. Supported are: {SUPPORTED}")


def _refuse_what_attends_otherwise(name: str, files: Files) -> None:
    """Raise CheckpointError unless this is a known model type, and nothing says that it has not full attention."""
    found = f'model_type "{name}"'
    for beginning, why in _REFUSED.items():
        if name.lower().startswith(beginning):
            raise _refusal(f"{found}: {why}")
    if name not in _KINDS:
        raise _refusal(found)
    for key, value in files.config.items():
        if key in _BLOCK_KEYS and value:
            raise _refusal(f"{found} with {key} = {value}: it attends block by block")
        if key.endswith("experts") and value:
            raise _refusal(f"{found} with {key} = {value}: a mixture of experts")
    if name == "Dream" and any("q_norm" in tensor for tensor in files.tensors):
        raise _refusal(f"{found} with normed queries: this is DreamReasoner, which attends block by block")
    if "bd3lm" in f"{files.origin} {files.config.get('_name_or_path')}".lower():
        raise _refusal(f"{found} of a BD3LM, which attends block by block")
    architectures = files.config.get("architectures") or []
    if name in ("qwen2", "qwen3") and not _PLAIN_ARCHITECTURES.issuperset(architectures):
        raise _refusal(f"{found} with the architecture {architectures[0]}")
    if files.config.get("quantization_config"):
        raise _refusal(f"{found} whose weights are quantized already")


def _length_tokens(files: Files) -> tuple[int | None, int | None]:
    """Return the ids of *expand* and *delete*. DreamOn adds a token for the one, and its end of text is the other."""
    expand, delete = files.special("expand"), files.special("delete")
    if expand is None:
        expand = files.vocabulary.added.get(_EXPAND)
    if delete is None and expand is not None:
        delete = files.vocabulary.role("eos_token")
    return expand, delete


def _frame(role: str, files: Files) -> int:
    i = files.vocabulary.role(role)
    if i is None:
        raise CheckpointError(f"its tokenizer names no {role}, which its family puts around every text")
    return i


def _check_ids(family: Family, vocabulary: Vocabulary) -> None:
    """Raise CheckpointError for a special id without an embedding, or one that is an ordinary token."""
    size = family.transformer.vocabulary
    if vocabulary.tokenizer.size > size:
        raise CheckpointError(
            f"its tokenizer has {vocabulary.tokenizer.size} tokens, but config.json a vocabulary of {size}: "
            "the files do not belong together"
        )
    ids = {"mask": family.mask, "delete": family.delete, "expand": family.expand}
    special = set(vocabulary.tokenizer.silent(size))
    for name, i in (ids | {"begin": family.begin, "end": family.end}).items():
        if i is not None and i not in special:
            why = "one of ordinary text" if 0 <= i < size else f"outside of the vocabulary of {size}"
            raise CheckpointError(f"its {name} token is {i}, {why}")
