import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import SOURCE, tiny_tokenizer
from tokenizers import Tokenizer as Encoder
from tokenizers import models

from dllm_lsp.models.checkpoints.tokenizer import BEGINS, Tokenizer

TOKENIZER = tiny_tokenizer()
SPECIAL = [*TOKENIZER.never_written, Tokenizer.delete]

code = st.lists(
    st.one_of(
        st.sampled_from([*re.findall(r"\w+|\s+|.", SOURCE), "\r\n", "\r", "\t", "<mask>", "begin"]), st.text()
    )
).map("".join)


@given(code)
def test_text_survives(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == clean


@given(code)
def test_no_text_becomes_a_special_id(text: str) -> None:
    assert not set(TOKENIZER.encode(text)) & set(SPECIAL)


@given(code)
def test_no_token_crosses_a_line_break(text: str) -> None:
    for piece in TOKENIZER.pieces(TOKENIZER.encode(text)):
        assert not re.search("[\r\n]", piece) or piece in ("\n", "\r", "\r\n")


@given(code, code)
def test_text_cut_in_front_of_a_line_break_is_tokenized_like_its_pieces(above: str, below: str) -> None:
    above = above.removesuffix("\r")
    assert TOKENIZER.encode(above) + TOKENIZER.encode("\n" + below) == TOKENIZER.encode(f"{above}\n{below}")


@given(st.lists(code, max_size=4))
def test_a_batch_is_encoded_like_its_texts(texts: list[str]) -> None:
    assert TOKENIZER.encode_batch(texts) == [TOKENIZER.encode(text) for text in texts]


def test_a_character_of_many_tokens_is_that_of_the_last() -> None:
    ids = TOKENIZER.encode("a😀é")
    assert len(ids) == 1 + 4 + 2
    assert TOKENIZER.pieces(ids) == ["a", "", "", "", "😀", "", "é"]


def test_tokens_that_make_no_character_are_replaced() -> None:
    first, *_ = TOKENIZER.encode("😀")
    assert TOKENIZER.decode([first, *TOKENIZER.encode("a")]) == "\ufffda"


def test_special_ids_have_no_text() -> None:
    assert TOKENIZER.pieces(SPECIAL) == [""] * len(SPECIAL)


def test_every_language_has_its_begin_and_the_others_share_one() -> None:
    begins = [TOKENIZER.begin(language) for language in BEGINS]
    assert len({*begins, TOKENIZER.begin("cobol")}) == len(BEGINS) + 1
    assert TOKENIZER.begin("cobol") == TOKENIZER.begin("") == TOKENIZER.begin("mask")
    assert set(begins) <= set(TOKENIZER.never_written)


def test_an_editor_s_name_of_a_dialect_has_its_language_s_begin() -> None:
    assert TOKENIZER.begin("typescriptreact") == TOKENIZER.begin("typescript") != TOKENIZER.begin("cobol")
    assert TOKENIZER.begin("javascriptreact") == TOKENIZER.begin("javascript") != TOKENIZER.begin("cobol")


def test_begin_tokens_keep_the_ids_that_stored_weights_know() -> None:
    assert [TOKENIZER.begin(language) for language in ("cobol", "python", "javascript", "cpp")] == [
        3,
        4,
        5,
        11,
    ]


def test_all_of_the_vocabulary_is_used() -> None:
    assert TOKENIZER.size == 320
    assert len(TOKENIZER.encode("    return self.x")) < 10  # learned from the source, which is full of it


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.size == TOKENIZER.size
    assert loaded.encode(SOURCE + "é\r\n") == TOKENIZER.encode(SOURCE + "é\r\n")


def foreign(words: dict[str, int]) -> str:
    return Encoder(models.WordLevel(words, "?")).to_str()


@pytest.mark.parametrize(
    "content",
    ["", "{}", "nonsense", foreign({"?": 0, "naïve word": 1}), foreign({"?": 0, "a": 2})],
    ids=["empty", "no model", "no JSON", "not in bytes", "gaps"],
)
def test_another_file_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json is not a tokenizer file"):
        Tokenizer.load(path)


def test_a_missing_file_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        Tokenizer.load(tmp_path / "tokenizer.json")
