from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import SupportsIndex, overload

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marked import CURSOR, snapshot_of

from dllm_lsp.context.window import below_the_first, hole_at
from dllm_lsp.text.document import split_lines
from dllm_lsp.text.snapshot import Snapshot

text = st.text(alphabet="ab é\t\f\n\r", max_size=200)
budget = st.integers(0, 60)


def with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def document(before: str, after: str) -> Snapshot | None:
    """Return the snapshot with the cursor between the two, or None where a line end is torn apart."""
    if before.endswith("\r") and after.startswith("\n"):
        return None
    return snapshot_of(before + CURSOR + after)


@given(text, text, budget, budget)
def test_the_hole_is_what_surrounds_the_cursor_within_the_budgets(
    before: str, after: str, room_before: int, room_after: int
) -> None:
    snapshot = document(before, after)
    if snapshot is None:
        return
    hole = hole_at(snapshot, room_before, room_after)
    assert len(hole.before) <= room_before
    assert len(hole.after) <= room_after
    assert with_line_feeds(before).endswith(hole.before)
    assert with_line_feeds(after).startswith(hole.after)
    assert hole.language == "python"


@given(st.text(alphabet="ab\n", max_size=200), st.text(alphabet="ab\n", max_size=200), st.integers(2, 60))
def test_at_least_half_of_the_budget_is_used_where_there_is_text(before: str, after: str, room: int) -> None:
    hole = hole_at(snapshot_of(before + CURSOR + after), room, room)
    for seen, there in ((hole.before, before), (hole.after, after)):
        assert seen == there if len(there) <= room else len(seen) >= room // 2


@given(st.integers(1, 12), st.integers(30, 80), st.integers(8, 60))
def test_the_far_ends_stand_at_line_boundaries_where_lines_are_short(
    width: int, lines: int, room: int
) -> None:
    line = "x" * width + "\n"
    if room < 4 * len(line):
        return
    hole = hole_at(snapshot_of(line * lines + CURSOR + line * lines), room, room)
    assert len(hole.before) % len(line) == 0
    assert len(hole.after) % len(line) == 0


@given(st.integers(1, 40), st.integers(20, 200), st.integers(0, 300))
def test_typing_moves_the_start_seldom_and_the_end_never(width: int, room: int, typed: int) -> None:
    line = "x" * (width - 1) + "\n"
    written = (line * 200)[: 20 * width]
    starts, afters = [], set()
    for count in range(typed):
        now = written + (line * 400)[:count]
        hole = hole_at(snapshot_of(now + CURSOR + "tail\n" * 100), room, room)
        starts.append(len(now) - len(hole.before))
        afters.add(hole.after)
    moves = sum(old != new for old, new in pairwise(starts))
    assert starts == sorted(starts)
    assert moves <= typed / (room // 2 / 2) + 2
    assert len(afters) <= 1


def test_typing_within_one_endless_line_moves_the_start_every_half_budget() -> None:
    starts = set()
    for count in range(1000):
        hole = hole_at(snapshot_of("x" * (5000 + count) + CURSOR + "y" * 5000), 200, 200)
        starts.add(5000 + count - len(hole.before))
        assert hole.after == "y" * len(hole.after)
        assert 100 <= len(hole.after) <= 200
    assert len(starts) == 11


def test_lines_added_below_do_not_move_the_start_and_lines_above_not_the_end() -> None:
    body = "".join(f"line {number}\n" for number in range(300))
    hole = hole_at(snapshot_of(f"{body}{CURSOR}{body}"), 500, 500)
    assert hole_at(snapshot_of(f"{body}{CURSOR}{body}more\n"), 500, 500).before == hole.before
    assert hole_at(snapshot_of(f"more\n{body}{CURSOR}{body}"), 500, 500).after == hole.after


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_all_line_ends_become_line_feeds(end: str) -> None:
    hole = hole_at(snapshot_of(f"a{end}b{CURSOR}c{end}d"), 100, 100)
    assert (hole.before, hole.after) == ("a\nb", "c\nd")


def test_an_empty_document() -> None:
    hole = hole_at(snapshot_of(CURSOR), 100, 100)
    assert (hole.before, hole.after) == ("", "")


class CountingLines(tuple[str, ...]):
    """Lines that know how many of them were looked at, and that nobody may walk through."""

    seen: int = 0

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> str | tuple[str, ...]:
        self.seen += 1
        return super().__getitem__(index)

    def __iter__(self) -> None:  # type: ignore[override]
        raise AssertionError("the whole document was read")


def test_only_lines_within_the_budget_are_looked_at() -> None:
    lines = CountingLines(split_lines("some code\n" * 20_000))
    hole_at(Snapshot("file:///work/app.py", 1, "python", lines, 10_000, 3), 1000, 500)
    assert lines.seen <= 1500 / len("some code\n") + 4


@pytest.mark.parametrize(
    ("characters", "line"), [(0, 0), (5, 0), (6, 1), (11, 1), (12, 2), (16, 2), (999, 2)]
)
def test_below_the_first_lines_that_fit_is_as_far_down_as_a_document_reaches(
    characters: int, line: int
) -> None:
    document = snapshot_of(CURSOR + "one()\ntwo()\nlast")
    assert below_the_first(document, characters) == replace(document, line=line, column=0)
