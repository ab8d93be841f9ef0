import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tiny_model import SOURCE

from dllm_lsp.training.holes import HoleKinds, Span, cut_holes

KINDS = [field.name for field in structs.fields(HoleKinds)]
texts = st.one_of(
    st.just(SOURCE),
    st.text(),
    st.lists(st.sampled_from(["x", "(a, b)", '"s"', " ", "\n", "    ", "é😀"])).map("".join),
)


def only(kind: str) -> HoleKinds:
    return HoleKinds(**{name: float(name == kind) for name in KINDS})


def holes_of(kind: str) -> list[Span]:
    return [hole for seed in range(20) for hole in cut_holes(SOURCE, random.Random(seed), 5, only(kind))]


@given(texts, st.integers(0, 9), st.integers(), st.sampled_from([HoleKinds(), *map(only, KINDS)]))
def test_holes_lie_in_the_text_apart_from_each_other(
    text: str, count: int, seed: int, kinds: HoleKinds
) -> None:
    holes = cut_holes(text, random.Random(seed), count, kinds)
    assert len(holes) <= count
    edges = [edge for hole in holes for edge in hole]
    assert edges == sorted(edges)
    assert all(0 <= hole.start <= hole.end <= len(text) for hole in holes)
    assert len(set(holes)) == len(holes)


def test_a_text_without_code_has_no_holes() -> None:
    assert cut_holes(" \n\t\n", random.Random(0), 5, HoleKinds()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_finds_holes(kind: str) -> None:
    assert len(set(holes_of(kind))) > 5


def test_the_rest_of_a_line_begins_in_its_code() -> None:
    for start, end in holes_of("rest_of_line"):
        assert SOURCE[end] == "\n"
        assert "\n" not in SOURCE[start:end]
        assert SOURCE[:start].rpartition("\n")[2].strip()


def test_a_line_is_all_of_its_code_with_or_without_what_is_around_it() -> None:
    lines = {line.strip() for line in SOURCE.splitlines()}
    found = set()
    for start, end in holes_of("line"):
        hole = SOURCE[start:end]
        assert hole.strip() in lines
        assert not SOURCE[:start].rpartition("\n")[2].strip()
        assert "\n" not in hole.removesuffix("\n")
        found.add((hole[:1].isspace(), hole.endswith("\n")))
    assert found == {(False, False), (True, False), (True, True), (False, True)}


def test_what_stands_in_brackets_ends_before_the_closing_one() -> None:
    for start, end in holes_of("bracketed"):
        assert SOURCE[end] in ")]}'\""
        assert not re.search(r"\n", SOURCE[start:end])


def test_a_span_stays_in_its_line() -> None:
    assert all("\n" not in SOURCE[start:end] for start, end in holes_of("span"))


def test_a_block_goes_on_in_the_lines_below_and_ends_with_one() -> None:
    for start, end in holes_of("block"):
        assert "\n" in (SOURCE[end - 1], SOURCE[end : end + 1])
        assert "\n" in SOURCE[start : end - 1]


def test_lines_and_blocks_at_the_end_of_a_text_stay_in_it() -> None:
    for kind in ("line", "block"):
        for seed in range(50):
            for hole in cut_holes("a = 1\n  b = 2", random.Random(seed), 3, only(kind)):
                assert hole.end <= 13


def test_kinds_come_as_often_as_asked_for() -> None:
    kinds = HoleKinds(rest_of_line=3, line=0, bracketed=0, span=0, block=1)
    holes = [hole for seed in range(400) for hole in cut_holes(SOURCE, random.Random(seed), 1, kinds)]
    blocks = sum("\n" in SOURCE[start:end] for start, end in holes)
    assert 0.15 < blocks / len(holes) < 0.35
