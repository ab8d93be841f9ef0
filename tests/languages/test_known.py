"""What the records say fits together, and fits what is built on them."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from dllm_lsp.languages.known import KNOWN, PLAIN
from dllm_lsp.languages.language import Language
from dllm_lsp.models.checkpoints.tokenizer import BEGINS

DIALECTS = [dialect for language in KNOWN for dialect in language.dialects]
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def test_an_id_or_a_suffix_means_one_dialect() -> None:
    named = Counter(each for dialect in DIALECTS for each in (*dialect.ids, *dialect.suffixes))
    assert [name for name, count in named.items() if count > 1] == []


@pytest.mark.parametrize("language", [*KNOWN, PLAIN], ids=lambda language: language.name)
def test_a_language_is_named_like_its_first_dialect(language: Language) -> None:
    assert language.name == language.dialects[0].id


def test_every_begin_token_belongs_to_a_language() -> None:
    assert {language.begin for language in KNOWN} - {""} == set(BEGINS)


def test_every_grammar_is_installed_with_the_package() -> None:
    required = {re.split(r"[<>=]", requirement)[0] for requirement in PROJECT["dependencies"]}
    wheels = {dialect.grammar.module.replace("_", "-") for dialect in DIALECTS if dialect.grammar}
    assert wheels == {name for name in required if name.startswith("tree-sitter-")}


@pytest.mark.parametrize("language", [*KNOWN, PLAIN], ids=lambda language: language.name)
def test_a_longer_mark_stands_before_one_that_it_begins_with(language: Language) -> None:
    marks = [quote.mark for quote in language.quotes]
    assert [
        (one, other) for n, one in enumerate(marks) for other in marks[n + 1 :] if other.startswith(one)
    ] == []
