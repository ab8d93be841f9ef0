import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tiny_base import FILE, tokenizer

from dllm_lsp.models.adapted.geometry import CANVAS, END, POSITIONS, SINK, Kind, stream
from dllm_lsp.models.adapted.healing import healed_start
from dllm_lsp.training.adaptation.canvases import canvas
from dllm_lsp.training.adaptation.holes import HoleKinds, code_lines, cut_holes
from dllm_lsp.training.adaptation.network import MASK
from dllm_lsp.training.holes import Span

KINDS = [field.name for field in structs.fields(HoleKinds)]
TEXT = FILE.text
code = st.lists(
    st.sampled_from(["word", "12", "(", ")", "_", " = ", "\n    ", "\n\n", " ", "ключ", "é", ".", ","])
)


@given(code.map("".join), st.data())
def test_what_stands_before_a_hole_has_the_tokens_that_it_has_in_the_whole(
    text: str, data: st.DataObject
) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    start = healed_start(text, cursor)
    assert start <= cursor
    before, whole = tokenizer().encode(text[:start]), tokenizer().encode(text)
    assert whole[: len(before)] == before
    assert before + tokenizer().encode(text[start:]) == whole


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("x = fo", "x ="),
        ("x = ", "x ="),
        ("x =", "x"),
        ("if x:\n    ", "if x:"),
        ("if x:\n    return", "if x:"),
        ("f(a_b", "f(a_"),
        ("x[12", "x["),
        ("\n  ", ""),
        ("", ""),
    ],
)
def test_the_word_at_the_cursor_its_blanks_and_breaks_are_written_anew(typed: str, kept: str) -> None:
    assert typed[: healed_start(typed, len(typed))] == kept


def holes_of(kind: str, last: int) -> list[Span]:
    kinds = HoleKinds(**{name: float(name == kind) for name in KINDS})
    lines = code_lines(TEXT)
    return cut_holes(TEXT, lines, last, random.Random(last), count=8, kinds=kinds)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_ends_on_its_line_and_begins_where_healing_puts_it(kind: str) -> None:
    found = 0
    for last, line in enumerate(code_lines(TEXT)):
        for start, end in holes_of(kind, last):
            assert start <= end
            assert line.start <= end <= line.end
            assert not TEXT[:start].endswith((" ", "\n"))
            whole_lines = kind in ("rest_of_line", "line", "lines", "block")
            assert end == line.end or not whole_lines
            assert TEXT[start:end].lstrip().count("\n") == 0 or kind in ("lines", "block")
            found += 1
    assert found > 10


def test_holes_of_several_lines_have_two_to_four() -> None:
    counts = {TEXT[s:e].lstrip().count("\n\n") for n in range(40) for s, e in holes_of("lines", n)}
    lines = {
        len([line for line in TEXT[s:e].splitlines() if line.strip()])
        for n in range(40)
        for s, e in holes_of("lines", n)
    }
    assert counts
    assert {2, 3, 4} <= lines <= {1, 2, 3, 4}


def test_streams_keep_what_is_next_to_the_hole_and_stay_apart() -> None:
    long = list(range(100, 1000))
    before, below = stream(Kind.BEFORE, long), stream(Kind.BELOW, long)
    assert before.ids == (SINK, Kind.BEFORE.mark, *long[-Kind.BEFORE.room :])
    assert below.ids == (SINK, Kind.BELOW.mark, *long[: Kind.BELOW.room])
    streams = [*(stream(Kind.SNIPPET, long, n) for n in range(3)), below, stream(Kind.REST, long), before]
    taken = [range(each.first, each.first + len(each.ids)) for each in streams]
    assert all(one.stop == other.start for one, other in pairwise(taken))
    assert taken[-1].stop + CANVAS <= POSITIONS


@given(st.lists(st.integers(20, 300), max_size=20), st.integers(0, 999))
def test_a_canvas_asks_for_the_hole_and_one_end(hole: list[int], seed: int) -> None:
    made = canvas(19, hole, 16, [20, 21], random.Random(seed))
    whole = [*hole, END]
    assert made.ids[: made.clean] == [19, *hole]
    block = made.ids[made.clean :]
    assert block[0] == made.ids[made.known]
    assert len(block) in (4, 8, 12, 16)
    assert [t.token for t in made.targets if t.row < made.clean] == whole
    asked = [t for t in made.targets if t.row >= made.clean]
    assert [t.token for t in asked] == whole[made.known :][: len(block)]
    assert made.offsets[made.clean :] == list(range(made.known, made.known + len(block)))
    for target in asked:
        row = target.row - made.clean
        following = block[row + 1] if row + 1 < len(block) else MASK
        assert (target.distance == -1) == (following != MASK)
    assert all(token == MASK for token in block[1 + len(asked) :])


def test_half_of_the_blocks_show_nothing_and_some_of_what_is_shown_is_wrong() -> None:
    rng, hole = random.Random(0), list(range(50, 62))
    blocks = [canvas(19, hole, 16, [20, 21, 22], rng) for _ in range(600)]
    shown = [(block, t) for block in blocks for t in block.targets if t.distance == -1]
    hidden = sum(all(t.distance >= 0 for t in block.targets) for block in blocks)
    assert 0.5 < hidden / len(blocks) < 0.9
    wrong = sum(block.ids[t.row + 1] != t.token for block, t in shown)
    assert 0.05 < wrong / len(shown) < 0.15
    assert all(t.weight > 0 for block in blocks for t in block.targets)
    assert sum(block.known == 0 for block in blocks) > len(blocks) / 2
