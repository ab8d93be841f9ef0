from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from marked import CURSOR, hole_of

from dllm_lsp.syntax.judgment import Verdict
from dllm_lsp.syntax.python import judge
from dllm_lsp.syntax.region import region_of, whole_region

MODULE = """import os


class Shape:
    def area(self):
        return 0

    def name(self):
        value = ¦
        return value


print(Shape())
"""


def test_a_region_is_the_outermost_statement_around_the_cursor() -> None:
    region = region_of(hole_of(MODULE), "")
    assert region.above.startswith("class Shape:\n")
    assert (region.head, region.tail) == ("        value = ", "")
    assert region.below.rstrip() == "\n        return value"
    assert region.header == ""


def test_clauses_and_closing_brackets_belong_to_the_statement_before_them() -> None:
    region = region_of(hole_of("x = 1\ntry:\n    f(\n        ¦\n    )\nexcept Error:\n    pass\ny = 1\n"), "")
    assert region.above == "try:\n    f(\n"
    assert region.below == "\n    )\nexcept Error:\n    pass"


def test_code_that_begins_indented_gets_blocks_to_stand_in() -> None:
    region = region_of(hole_of("            x = 1\n        y = 2\n    ¦\n"), "def f(): ...")
    source = region.header + region.above + region.head + "def f(): ..." + region.tail
    assert region.header == "if 1:\n"
    assert judge(source).verdict is Verdict.COMPLETE


def test_every_indentation_that_is_come_back_to_has_its_block() -> None:
    region = whole_region(hole_of("            x = 1\n        y = 2\n    z = 3\nw = ¦\n"), "4")
    assert judge(region.header + region.above + region.head + "4").verdict is Verdict.COMPLETE


def test_tabs_are_indentation() -> None:
    region = whole_region(hole_of("\t\tx = 1\n\ty = 2\n\tw = ¦\n"), "4")
    assert judge(region.header + region.above + region.head + "4").verdict is Verdict.COMPLETE


code = st.text(alphabet=" \tx@)#\n", max_size=80)


@given(code, code, code)
def test_a_region_is_a_part_of_the_hole_around_the_cursor(before: str, after: str, text: str) -> None:
    hole = hole_of(before + CURSOR + after)
    for region in (region_of(hole, text), whole_region(hole, text)):
        assert hole.before.endswith(region.above + region.head)
        assert hole.after.startswith(region.tail + region.below)
        assert "\n" not in region.head + region.tail
        assert not region.above or region.above.endswith("\n")
        assert not region.below or region.below.startswith("\n")
