from dataclasses import replace

import pytest
from marked import CURSOR
from writing_engine import WritingEngine

from dllm_lsp.evaluation.answers import Answer, Writer
from dllm_lsp.evaluation.case import Case

BEFORE, AFTER = f"def read(path):\n    return {CURSOR}\n\nx = 1\n".split(CURSOR)
CASE = Case("a.py", "rest-of-line", BEFORE, "open(path, mode)", AFTER)


def answer(written: str, case: Case = CASE, *, length_given: bool = False) -> Answer:
    writer = Writer(WritingEngine(lambda hole: written))  # type: ignore[arg-type]
    return writer.answer(case, length_given=length_given)


def asked(case: Case = CASE, *, length_given: bool = False) -> tuple:
    engine = WritingEngine(lambda hole: "open(path, mode)")
    Writer(engine, "high").answer(case, length_given=length_given)  # type: ignore[arg-type]
    [request] = engine.asked
    return request


def test_the_engine_is_asked_as_an_editor_asks_it() -> None:
    document, hole, limits = asked()
    assert document == "a.py"
    assert (hole.before, hole.after, hole.language) == (BEFORE, AFTER, "python")
    assert (limits.tokens, limits.exact, limits.effort) == (24, False, "high")
    assert limits.milliseconds == float("inf")


def test_a_given_length_is_that_of_the_truth() -> None:
    limits = asked(length_given=True)[2]
    assert (limits.tokens, limits.exact) == (2, True)


def test_the_truth_is_exact() -> None:
    found = answer("open(path, mode)")
    assert found.is_exact
    assert found.confidence == pytest.approx(0.9 * 0.9 * 0.8)
    assert (found.name, found.kind, found.truth) == ("a.py", "rest-of-line", "open(path, mode)")
    assert (found.tokens, found.true_tokens, found.fits) == (2, 2, True)
    assert (found.steps, found.passes, found.passed) == (1, 2, None)
    assert found.milliseconds > 0


def test_a_truth_that_no_canvas_holds_is_said_not_to_fit() -> None:
    assert answer("x", replace(CASE, truth="a " * 23 + "a")).fits
    assert not answer("x", replace(CASE, truth="a " * 24 + "a")).fits


def test_of_one_line_only_the_line_counts() -> None:
    found = answer("open(path, mode)\nmore and more")
    assert found.is_exact
    assert found.tokens == 2


def test_of_more_lines_everything_counts() -> None:
    case = replace(CASE, truth="x\n    y", one_line=False)
    found = answer("x\n    y", case)
    assert (found.text, found.is_exact) == ("x\n    y", True)
    assert not answer("x", case).is_exact


def test_what_the_product_would_not_show_is_not_shown() -> None:
    found = answer(")(")
    assert found.text is None
    assert found.confidence == 0
    assert not found.is_exact


def test_what_is_unsure_is_shown() -> None:
    found = answer("a or b or c or d or e or f or g or h or i")
    assert found.text == "a or b or c or d or e or f or g or h or i"
    assert found.confidence < 0.2


@pytest.mark.parametrize(("written", "passed"), [("path", True), ("None", False), (")(", False)])
def test_a_program_judges_what_would_be_shown(written: str, passed: bool) -> None:
    case = replace(CASE, truth="path", program=("assert read('a') == 'a'",))
    assert answer(written, case).passed is passed
