"""The tokenizer in a GGUF file, in the format of Hugging Face's tokenizers."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from dllm_lsp.fetching.errors import GgufError
from dllm_lsp.fetching.gguf_file import GgufFile

_NORMAL, _CONTROL = 1, 3
"""What the types of tokens mean; no other type is supported."""


class Tokens(Struct, frozen=True, kw_only=True):
    """A byte-level vocabulary, under llama.cpp's names: tokens and their types by id, and merges, the first first."""

    model: Literal["gpt2"] = field(name="tokenizer.ggml.model")
    pre: Literal["smollm"] = field(name="tokenizer.ggml.pre")
    tokens: list[str] = field(name="tokenizer.ggml.tokens")
    types: list[int] = field(name="tokenizer.ggml.token_type")
    merges: list[str] = field(name="tokenizer.ggml.merges")


def read_tokens(file: GgufFile) -> Tokens:
    """Return the vocabulary in a file; raise GgufError for one that contradicts itself."""
    said = file.metadata(Tokens)
    if not 0 < len(said.tokens) == len(set(said.tokens)) == len(said.types):
        raise GgufError(f"{file.path} has no list of tokens that are all different, each with its type")
    if strange := set(said.types) - {_NORMAL, _CONTROL}:
        raise GgufError(f"{file.path} has tokens of the unknown type {min(strange)}")
    return said


def tokenizer(file: GgufFile, said: Tokens) -> str:
    """Return `tokenizer.json`; raise GgufError for merges that are not of the vocabulary.

    Texts are cut as llama.cpp's "smollm" does it: each digit by itself, and the rest by GPT-2's pattern (Radford et al.
    2019). Control tokens are special ones.
    """
    try:
        ids = {token: i for i, token in enumerate(said.tokens)}
        made = Tokenizer(models.BPE(ids, [_halves(merge) for merge in said.merges]))
        made.add_special_tokens(
            [
                AddedToken(token, normalized=False, special=True)
                for token, kind in zip(said.tokens, said.types, strict=True)
                if kind == _CONTROL
            ]
        )
    except Exception as error:  # the library raises bare Exception
        raise GgufError(f"{file.path} holds no vocabulary that can be used: {error}") from error
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made.to_str()


def _halves(merge: str) -> tuple[str, str]:
    first, second = merge.split(" ")
    return first, second
