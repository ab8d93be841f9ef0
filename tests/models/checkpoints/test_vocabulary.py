"""Checkpoints' tokenizers, from each layout of files, against transformers' own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_checkpoints import ORDINARY, change_json, trained_encoder, write_json, write_tokenizer
from tiny_model import SOURCE
from tokenizers import Tokenizer as Encoder
from tokenizers import models, pre_tokenizers

from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.vocabulary import Vocabulary, read_vocabulary

SPECIAL = ["<|endoftext|>", "<|mask|>", "<tool_call>"]
ROLES = {"eos_token": "<|endoftext|>", "mask_token": "<|mask|>"}


def written(folder: Path, *, whole: bool, tokenizer_class: str = "Qwen2Tokenizer") -> Path:
    folder.mkdir(exist_ok=True)
    write_tokenizer(folder, SPECIAL, ROLES, tokenizer_class, whole=whole)
    return folder


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Vocabulary]:
    folder = tmp_path_factory.mktemp("tokenizers")
    return [
        read_vocabulary(written(folder / str(whole), whole=whole, tokenizer_class="DreamTokenizer"))
        for whole in (True, False)
    ]


code = st.lists(
    st.one_of(
        st.sampled_from(
            ["def ", "return", "  ", "\n\n", "\r\n", "\t", "'s", "x1234", "😀", "e\u0301", *SPECIAL]
        ),
        st.text(),
        st.just(SOURCE),
    ),
    max_size=6,
).map("".join)


@given(text=code)
def test_both_layouts_are_one_tokenizer(both: list[Vocabulary], text: str) -> None:
    whole, parts = both
    assert whole.tokenizer.encode(text) == parts.tokenizer.encode(text)


@given(text=code)
def test_text_survives_but_for_its_normal_form(both: list[Vocabulary], text: str) -> None:
    import unicodedata  # noqa: PLC0415

    clean = text.encode("utf-8", "replace").decode()
    for vocabulary in both:
        tokenizer = vocabulary.tokenizer
        assert tokenizer.decode(tokenizer.encode(text)) == unicodedata.normalize("NFC", clean)


@given(text=code)
def test_no_text_becomes_a_special_token(both: list[Vocabulary], text: str) -> None:
    for vocabulary in both:
        assert max(vocabulary.tokenizer.encode(text), default=0) < ORDINARY


def test_a_character_of_many_tokens_is_that_of_the_last(both: list[Vocabulary]) -> None:
    for vocabulary in both:
        ids = vocabulary.tokenizer.encode("a😀é")
        assert vocabulary.tokenizer.pieces([*ids, ORDINARY]) == ["a", "", "", "", "😀", "", "é", ""]


def test_roles_and_added_tokens_are_read(both: list[Vocabulary]) -> None:
    for vocabulary in both:
        assert vocabulary.added == {token: ORDINARY + i for i, token in enumerate(SPECIAL)}
        assert (vocabulary.role("eos_token"), vocabulary.role("mask_token")) == (ORDINARY, ORDINARY + 1)
        assert vocabulary.role("bos_token") is None
        assert vocabulary.tokenizer.silent(ORDINARY + 5) == list(range(ORDINARY, ORDINARY + 5))


def test_the_tokens_are_those_of_transformers(tmp_path: Path) -> None:
    from transformers import Qwen2Tokenizer  # noqa: PLC0415

    folder = written(tmp_path, whole=False)
    reference = Qwen2Tokenizer.from_pretrained(folder)
    tokenizer = read_vocabulary(folder).tokenizer
    for text in (SOURCE, "x = don't + 12345\r\n\r\n\t# 😀 naïve\n  ", "a\u0301 \u00e1", "  \n \n  x", ""):
        assert tokenizer.encode(text) == reference.encode(text, add_special_tokens=False)


def test_roles_may_be_in_the_map_of_special_tokens(tmp_path: Path) -> None:
    folder = written(tmp_path, whole=True)
    change_json(folder / "tokenizer_config.json", lambda config: config.pop("mask_token"))
    write_json(folder / "special_tokens_map.json", {"mask_token": {"content": "<|mask|>"}, "eos_token": "x"})
    vocabulary = read_vocabulary(folder)
    assert (vocabulary.role("mask_token"), vocabulary.role("eos_token")) == (ORDINARY + 1, ORDINARY)


def test_a_special_token_that_text_can_become_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path, whole=True)
    assert read_vocabulary(folder).tokenizer.encode("Point") == [trained_encoder().token_to_id("Point")]
    change_json(folder / "tokenizer_config.json", lambda config: config.update(mask_token="Point"))
    with pytest.raises(CheckpointError, match="takes text for its special token Point"):
        read_vocabulary(folder)


def test_a_missing_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"lacks tokenizer\.json"):
        read_vocabulary(tmp_path)


def test_a_class_whose_rules_are_not_known_is_told(tmp_path: Path) -> None:
    written(tmp_path, whole=False, tokenizer_class="LLaDATokenizer")
    with pytest.raises(CheckpointError, match=r"is a LLaDATokenizer without tokenizer\.json"):
        read_vocabulary(tmp_path)


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_damaged_parts_are_told(tmp_path: Path, name: str) -> None:
    written(tmp_path, whole=False)
    (tmp_path / name).write_text("nonsense nonsense nonsense")
    with pytest.raises(CheckpointError, match="cannot be used"):
        read_vocabulary(tmp_path)


def test_words_are_no_bytes(tmp_path: Path) -> None:
    written(tmp_path, whole=True)
    words = Encoder(models.WordLevel({"?": 0, "naïve word": 1}, "?"))
    (tmp_path / "tokenizer.json").write_text(words.to_str())
    with pytest.raises(CheckpointError, match="its tokens are not spelled in bytes"):
        read_vocabulary(tmp_path)


def test_a_tokenizer_that_adds_a_space_is_told(tmp_path: Path) -> None:
    written(tmp_path, whole=True)
    encoder = Encoder.from_str((tmp_path / "tokenizer.json").read_text())
    encoder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    (tmp_path / "tokenizer.json").write_text(encoder.to_str())
    with pytest.raises(CheckpointError, match="does not return the text that it was given"):
        read_vocabulary(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[]", json.dumps({"added_tokens": [{"id": "x"}]})])
def test_a_tokenizer_file_of_something_else_is_told(tmp_path: Path, content: str) -> None:
    written(tmp_path, whole=True)
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match="tokenizer"):
        read_vocabulary(tmp_path)
