"""Texts are cut before they are encoded as llama.cpp cuts them for the same model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, pre_tokenizers

from dllm_lsp.fetching.gguf_file import GgufFile
from dllm_lsp.fetching.vocabulary import read_tokens, tokenizer

if TYPE_CHECKING:
    from conftest import Tiny

# `LLAMA_VOCAB_PRE_TYPE_SMOLLM` in llama.cpp's src/llama-vocab.cpp: one pattern after the other; what none matches
# is a piece as well.
LLAMA_CPP = [
    r"\p{N}",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
]
REFERENCE = pre_tokenizers.Sequence(
    [
        *(pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in LLAMA_CPP),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
)


@pytest.fixture(scope="module")
def made(tiny: Tiny) -> Tokenizer:
    file = GgufFile(tiny.source)
    return Tokenizer.from_str(tokenizer(file, read_tokens(file)))


@given(
    text=st.text(st.one_of(st.sampled_from(" \n\t'a1_.é½٣世😀\u00a0\u0301"), st.characters(codec="utf-8")))
)
@example(text="x = 10  # it's 2026\n\n\tdef f():\r\n    return 'a'  \n")
def test_texts_are_cut_as_llama_cpp_does_it(made: Tokenizer, text: str) -> None:
    assert made.pre_tokenizer is not None
    pieces = made.pre_tokenizer.pre_tokenize_str(text)
    assert pieces == REFERENCE.pre_tokenize_str(text)


def test_code_is_cut_as_llama_cpp_does_it(made: Tokenizer) -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert made.pre_tokenizer is not None
    assert made.pre_tokenizer.pre_tokenize_str(text) == REFERENCE.pre_tokenize_str(text)
