import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tiny_base import FILE

from dllm_lsp.models.adapted.geometry import END
from dllm_lsp.training.adaptation.canvases import canvas
from dllm_lsp.training.adaptation.holes import HoleKinds, code_lines, cut_holes
from dllm_lsp.training.adaptation.network import MASK
from dllm_lsp.training.holes import Span

KINDS = [field.name for field in structs.fields(HoleKinds)]
TEXT = FILE.text


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
