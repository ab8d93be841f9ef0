"""When a draft is all that was asked for, and when it can no longer become that."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_engine import HOLE, UNHURRIED, fill, new_engine, run
from tiny_model import SOURCE

from dllm_lsp.engine.enough import is_enough
from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Piece
from dllm_lsp.suggest.candidate import first_line

LINE = Limits(line=True)
GATED = Limits(line=True, confidence=0.3)


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
        (pieces((None, 0.01), (None, 0.01)), GATED, False),
        (pieces(("a", 0.5), ("b", 0.59), (None, 0.9)), GATED, True),
        (pieces(("a", 0.5), ("b", 0.61), (None, 0.01)), GATED, False),
        (pieces(("a", 0.5), (None, 0.9), ("b", 0.01)), GATED, False),
        (pieces(("a", 0.5), (None, 0.9), ("b", 0.59)), replace(GATED, line=False), True),
    ],
)
def test_a_draft_is_enough_when_what_was_asked_for_is_written_or_too_improbable(
    draft: list[Piece], limits: Limits, enough: bool
) -> None:
    assert is_enough(draft, limits, None) is enough


def test_what_a_probability_is_worth_decides() -> None:
    draft = pieces(("a", 0.2), (None, 0.9))
    assert is_enough(draft, GATED, None)
    assert not is_enough(draft, GATED, Calibration(slope=1.0, offset=2.0))


@settings(max_examples=25)
@given(st.integers(0, len(SOURCE)), st.sampled_from([0.5, 0.9, 1.1, 100.0]))
def test_what_is_sure_enough_comes_out_as_if_nothing_were_given_up(cursor: int, share: float) -> None:
    hole = Hole(SOURCE[:cursor], SOURCE[cursor:], "python")
    whole = fill(hole)
    line = first_line(whole)
    assert line is not None
    limited = fill(hole, replace(UNHURRIED, line=True, confidence=min(1.0, share * line.confidence)))
    assert limited.passes <= whole.passes
    if share < 1:
        assert first_line(limited) == line
    else:
        assert first_line(limited) in (None, line)


def test_what_cannot_be_sure_enough_is_given_up_after_its_first_token() -> None:
    drafts, infilled = run(HOLE, replace(UNHURRIED, confidence=1.0))
    assert len(drafts) == infilled.steps == 1
    assert any(piece.text is None for piece in infilled.pieces)


def test_a_calibrated_engine_gives_up_by_what_its_confidence_is_worth() -> None:
    engine = new_engine()
    engine.calibration = Calibration(slope=1.0, offset=60.0)
    sure = replace(UNHURRIED, confidence=0.99)
    assert fill(HOLE, sure, engine=engine).steps == fill(HOLE).steps > 1
