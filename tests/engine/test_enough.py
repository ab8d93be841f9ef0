"""When a draft is all that was asked for, and when it can no longer become that."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_engine import HOLE, UNHURRIED, fill, new_engine, run
from tiny_model import SOURCE

from dllm_lsp.engine.enough import is_enough
from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.infill.extent import Extent, Portion, portion_of
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled, Piece

LINE = Limits(extent="line")
GATED = Limits(extent="line", confidence=0.3)


def pieces(*written: tuple[str | None, float]) -> list[Piece]:
    return [Piece(text, probability) for text, probability in written]


@pytest.mark.parametrize(
    ("draft", "limits", "enough"),
    [
        (pieces(("a", 0.9), (None, 0.9)), LINE, False),
        (pieces(("a", 0.1), ("\n", 0.1), (None, 0.1)), LINE, True),
        (pieces(("a", 0.1), ("):\r\n", 0.1), (None, 0.1)), LINE, True),
        (pieces(("a", 0.1), ("\r", 0.1), (None, 0.1)), LINE, True),
        (pieces((None, 0.9), ("\n", 0.9), ("b", 0.9)), LINE, False),
        (pieces(("a", 0.9), ("\n", 0.9), (None, 0.9)), Limits(), False),
        (pieces(("a", 0.9), ("b", 0.9)), Limits(), True),
        (pieces(("a\n", 0.9), ("b ", 0.9), (None, 0.9)), Limits(extent="block"), True),
        (pieces(("a\n", 0.9), ("    b ", 0.9), (None, 0.9)), Limits(extent="block"), False),
        (pieces((None, 0.01), (None, 0.01)), GATED, False),
        (pieces(("a", 0.5), ("b", 0.59), (None, 0.9)), GATED, True),
        (pieces(("a", 0.5), ("b", 0.61), (None, 0.01)), GATED, False),
        (pieces(("a", 0.5), (None, 0.9), ("b", 0.01)), GATED, False),
        (pieces(("a", 0.5), (None, 0.9), ("b", 0.59)), replace(GATED, extent="all"), True),
    ],
)
def test_a_draft_is_enough_when_what_was_asked_for_is_written_or_too_improbable(
    draft: list[Piece], limits: Limits, enough: bool
) -> None:
    assert is_enough(draft, "    x = ", limits, None) is enough


def test_what_a_probability_is_worth_decides() -> None:
    draft = pieces(("a", 0.2), (None, 0.9))
    assert is_enough(draft, "", GATED, None)
    assert not is_enough(draft, "", GATED, Calibration(slope=1.0, offset=2.0))


@settings(max_examples=25)
@given(
    st.integers(0, len(SOURCE)),
    st.sampled_from([0.5, 0.9, 1.1, 100.0]),
    st.sampled_from(["line", "block", "all"]),
)
def test_what_is_sure_enough_comes_out_as_if_nothing_were_given_up(
    cursor: int, share: float, extent: Extent
) -> None:
    hole = Hole(SOURCE[:cursor], SOURCE[cursor:], "python")
    whole = fill(hole)
    asked = portion(whole, extent, hole)
    limits = replace(UNHURRIED, extent=extent, confidence=min(1.0, share * asked.bound))
    limited = fill(hole, limits)
    assert limited.passes <= whole.passes
    found = portion(limited, extent, hole)
    assert found == asked or (share > 1 and found.end is None)


def portion(infilled: Infilled, extent: Extent, hole: Hole) -> Portion:
    return portion_of(infilled.pieces, infilled.end, extent, hole.before)


def test_what_cannot_be_sure_enough_is_given_up_after_its_first_token() -> None:
    drafts, infilled = run(HOLE, replace(UNHURRIED, confidence=1.0))
    assert len(drafts) == infilled.steps == 1
    assert any(piece.text is None for piece in infilled.pieces)


def test_a_calibrated_engine_gives_up_by_what_its_confidence_is_worth() -> None:
    engine = new_engine()
    engine.calibration = {"python": Calibration(slope=1.0, offset=60.0)}
    sure = replace(UNHURRIED, confidence=0.99)
    assert fill(HOLE, sure, engine=engine).steps == fill(HOLE).steps > 1
