from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infills import infilled
from marked import snapshot_of
from msgspec import structs

from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.infill.pieces import Piece
from dllm_lsp.settings import SuggestSettings
from dllm_lsp.suggest.finish import finish

SETTINGS = SuggestSettings(confidence=0.3)


@pytest.mark.parametrize(
    ("marked", "written", "shown"),
    [
        ("x = ¦\n", "f(a)", "f(a)"),
        ("x = ¦\n", "f(a)\ny = 2", "f(a)"),
        ("x = ¦\n", "f(a)   ", "f(a)"),
        ("f(¦b)\n", "a, ", "a, "),
        ("f(¦)\n", "a)", "a"),
        ("f('¦')\n", "a')\n", "a"),
        ("def f(¦):\n    pass\n", "self, x):", "self, x"),
        ("def f():\n\tx = 1\n¦\n", "    return x", "\treturn x"),
        ("x = ¦\r\ny = 1\r\n", "f(a)", "f(a)"),
    ],
)
def test_what_is_shown(marked: str, written: str, shown: str) -> None:
    suggestion = finish(snapshot_of(marked), infilled(written), SETTINGS)
    assert suggestion is not None
    assert suggestion.text == shown
    assert suggestion.infilled is not None


@pytest.mark.parametrize(
    ("marked", "written"),
    [
        ("x = 1¦\n", ""),
        ("x = 1¦\n", "\n\ny = 2"),
        ("x = 1¦\n", "   "),
        ("f(¦)\n", ")"),
        ("import os\n¦\nimport re\n", "import re"),
        ("x = ¦\n", "f(a]"),
        ("x = ¦\n", "'\ufffd'"),
        ("x = ¦\n", "'\x1b[0m'"),
        ("x = ¦\n", "a + a + a + a + a"),
    ],
)
def test_what_is_not_shown(marked: str, written: str) -> None:
    assert finish(snapshot_of(marked), infilled(written), SETTINGS) is None


def test_doubtful_text_stays_hidden() -> None:
    doubtful = infilled("f(", "a", ")", probability=0.6, end=1.0)
    assert finish(snapshot_of("x = ¦\n"), doubtful, SETTINGS) is None
    assert finish(snapshot_of("x = ¦\n"), doubtful, SuggestSettings(confidence=0.2)) is not None


def test_confidence_is_that_of_the_tokens_that_are_left() -> None:
    suggestion = finish(
        snapshot_of("x = f(¦)\n"), infilled("a", ")", probability=0.5, end=0.5), SuggestSettings(confidence=0)
    )
    assert suggestion is not None
    assert (suggestion.text, suggestion.confidence) == ("a", 0.5)


def test_an_unfinished_canvas_shows_nothing() -> None:
    assert finish(snapshot_of("x = ¦\n"), infilled("f(", None), SETTINGS) is None


def test_syntax_is_judged_in_python_only() -> None:
    wrong = infilled("= = 1")
    assert finish(snapshot_of("x ¦\n"), wrong, SETTINGS) is None
    assert finish(snapshot_of("x ¦\n", language="perl"), wrong, SETTINGS) is not None


lines = st.lists(
    st.sampled_from(["", "x = f(a)", "return x", "    y = [1]", "    )", "if x:", "\tpass"]), max_size=6
)
documents = st.builds(
    lambda above, head, tail, below, end: end.join([*above, f"{head}¦{tail}", *below]),
    lines,
    st.sampled_from(["", "    ", "x = ", "f(", "    y = [", "'", "\t"]),
    st.sampled_from(["", ")", "]", "'", " b)", ":"]),
    lines,
    st.sampled_from(["\n", "\r\n", "\r"]),
)
written = st.lists(
    st.sampled_from(
        ["x", " = ", "f", "(", "a", ")", "[", "]", "'", ":", "return ", "    ", "\t", "\n", "1", ", "]
    ),
    max_size=8,
)


@given(documents, written)
def test_the_text_is_the_beginning_of_what_the_engine_wrote_and_repeats_no_neighbor(
    marked: str, tokens: list[str]
) -> None:
    snapshot = snapshot_of(marked)
    suggestion = finish(snapshot, infilled(*tokens), SETTINGS)
    if suggestion is None:
        return
    assert suggestion.text.strip()
    assert "\n" not in suggestion.text
    assert "".join(tokens).lstrip(" \t").startswith(suggestion.text.lstrip(" \t"))
    line = snapshot.lines[snapshot.line]
    inserted = (line[: snapshot.column] + suggestion.text + line[snapshot.column :]).rstrip()
    following = (line.rstrip() for line in snapshot.lines[snapshot.line + 1 :] if line.strip())
    assert inserted != next(following, "")


@given(documents, st.lists(st.text(max_size=5), max_size=5), st.floats(0, 1))
def test_any_text_gets_an_answer_above_the_gate(marked: str, tokens: list[str], probability: float) -> None:
    suggestion = finish(snapshot_of(marked), infilled(*tokens, probability=probability), SETTINGS)
    assert suggestion is None or suggestion.confidence >= SETTINGS.confidence


@pytest.mark.parametrize(("offset", "shown"), [(2.0, 0.880797), (0.0, 0.5), (-1.0, None)])
def test_confidence_and_gate_are_what_the_model_s_probability_is_worth(
    offset: float, shown: float | None
) -> None:
    written = structs.replace(infilled("f(a)", probability=0.5), calibration=Calibration(1.0, offset))
    suggestion = finish(snapshot_of("x = ¦\n"), written, SETTINGS)
    assert (suggestion and suggestion.confidence) == (shown and pytest.approx(shown))


def test_confidence_is_of_the_text_that_is_left() -> None:
    pieces = (Piece("a", 0.8), Piece(")", 0.5))
    written = structs.replace(infilled(), pieces=pieces, calibration=Calibration(2.0, 0.5))
    suggestion = finish(snapshot_of("f(¦)\n"), written, SETTINGS)
    assert suggestion is not None
    assert suggestion.confidence == Calibration(2.0, 0.5)(0.8)
