from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infills import infilled
from marked import snapshot_of
from msgspec import structs

from dllm_lsp.context.window import vicinity
from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.pieces import Piece
from dllm_lsp.settings import Lines, SuggestSettings
from dllm_lsp.suggest.finish import finish

SETTINGS = SuggestSettings(confidence=0.3)
MANY = SuggestSettings(confidence=0.3, lines="many")


def hole_at(marked: str, language: str = "python") -> Hole:
    return vicinity(snapshot_of(marked, language=language))


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
        ("def f():\n\tx = 1\n\t¦\n", "return x", "return x"),
        ("x = ¦\r\ny = 1\r\n", "f(a)", "f(a)"),
    ],
)
def test_what_is_shown(marked: str, written: str, shown: str) -> None:
    suggestion = finish(hole_at(marked), infilled(written), SETTINGS)
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
    assert finish(hole_at(marked), infilled(written), SETTINGS) is None


@pytest.mark.parametrize(
    ("marked", "written", "shown"),
    [
        ("def f(a):¦\n", "\n    b = a\n    return b\n", "\n    b = a\n    return b"),
        ("def f(a):\n    ¦\n", "b = a\n\n    return b\n\n\n", "b = a\n\n    return b"),
        ("def f(a):\r\n    ¦\r\n", "b = a\n    return b", "b = a\n    return b"),
        # The document's indentation.
        (
            "class A:\n\tx = 1\n\n\tdef f(a):¦\n",
            "\n        b = a\n        return b",
            "\n\t\tb = a\n\t\treturn b",
        ),
        ("def f(a):\n    c = a\n¦\n", "\tb = a\n\treturn b", "    b = a\n    return b"),
        ("def f(a):\n\t¦\n\treturn b\n", "b = a\n    return b\n", "b = a"),
        ("func f() {\n\tif a {¦\n}\n", "\n\t\tb()\n\t}", "\n\t\tb()\n\t}"),
        # What is there already: the rest of the line, lines below, brackets.
        ("f(¦)\n", "\n    a,\n    b,\n)\nc", "\n    a,\n    b,\n"),
        ("if a¦ > 3:\n    b\n", " < c > 3:\n    b", " < c"),
        ("def f(a):\n    ¦\n\n    return b\n", "b = a\n    return b\n\n\ndef g", "b = a"),
        ("def f(a):\n    ¦\n    return b\n", "b = a\n    c = b\n    ret", "b = a\n    c = b"),
        # No more lines than are right.
        ("x = ¦\n", "f(a)\ny = ]", "f(a)"),
        ("def f(a):¦\n", "\n    b = a\n      return b", "\n    b = a"),
        ("def f(a):¦\n", "\n    b = a\n    return '\x1b'\n", "\n    b = a"),
        # Only what the text says once.
        ("def f(a):\n    ¦\n", "b = a\n    b = a\n    b = a", "b = a"),
        ("def f(a):¦\n", "\n    b = a\n    c = a\n    c = a", "\n    b = a\n    c = a"),
    ],
)
def test_what_is_shown_of_several_lines(marked: str, written: str, shown: str) -> None:
    suggestion = finish(hole_at(marked), infilled(*written.splitlines(keepends=True)), MANY)
    assert suggestion is not None
    assert suggestion.text == shown


@pytest.mark.parametrize(
    ("marked", "written"),
    [
        ("def f(a):¦\n", "\n    b = = a\n    return b"),
        ("def f(a):\n    ¦\n    c = a\n    return b\n", "c = a\n    d = c"),
        ("def f(a):\n    ¦c = a\n    return b\n", "b = a\n    return b\n    "),
        ("def f(a):¦\n", "\n\n\n"),
        ("def f(a):¦\n", "\n    '\x1b'\n"),
    ],
)
def test_what_is_not_shown_of_several_lines(marked: str, written: str) -> None:
    assert finish(hole_at(marked), infilled(written), MANY) is None


@pytest.mark.parametrize(
    ("marked", "written", "shown"),
    [
        ("if x is N¦one:\n    pass\n", "one", None),
        ("if x is N¦one:\n    pass\n", "one:", None),
        ("if x is N¦one:\n    pass\n", "ull", None),
        ("for item in ite¦ms:\n    pass\n", "m", None),
        ("raise ValueErr¦or(v)\n", "or", None),
        ("x = self.get_¦name()\n", "user_name", "user_"),
        ("x = self.get_¦name()\n", "first() + self.name()", "first() + self."),
        ("x = self.get_¦name()\n", "name", None),
        ("x = caf¦\u00e9s\n", "\u00e9s", None),
        ("def __eq__(¦self, other):\n    pass\n", "self", None),
        ("def __eq__(¦self, other):\n    pass\n", "self, ", None),
        ("def __eq__(¦self, other):\n    pass\n", "self, other", None),
        ("def __eq__(¦self, other):\n    pass\n", "cls", None),
        ("f(¦self.b)\n", "self.a, ", "self.a, "),
        ("x: str ¦| None = None\n", "| None", None),
        ('""¦"Say it."""\n', '"', None),
        ("# See `f¦`.\n", "`.", None),
    ],
)
def test_no_word_is_doubled_when_it_is_accepted(marked: str, written: str, shown: str | None) -> None:
    suggestion = finish(hole_at(marked), infilled(written), SETTINGS)
    assert (suggestion and suggestion.text) == shown


def test_the_rest_of_a_word_that_is_written_too_is_part_of_the_confidence() -> None:
    written = infilled("user_", "name", probability=0.5)
    suggestion = finish(hole_at("x = get_¦name()\n"), written, SuggestSettings(confidence=0))
    assert (suggestion and (suggestion.text, suggestion.confidence)) == ("user_", 0.25)


@pytest.mark.parametrize(
    ("lines", "text", "confidence"),
    [
        ("one", "", None),
        ("auto", "\n    b = a\n    return b", 0.125),
        ("many", "\n    b = a\n    return b", 0.125),
    ],
)
def test_a_suggestion_has_as_many_lines_as_are_set(lines: Lines, text: str, confidence: float | None) -> None:
    written = infilled("\n    b = a", "\n    return b", "\n\n\n", "f(1)", probability=0.5, end=0.5)
    suggestion = finish(hole_at("def f(a):¦\n"), written, SuggestSettings(confidence=0, lines=lines))
    assert (suggestion and (suggestion.text, suggestion.confidence)) == (confidence and (text, confidence))


def test_of_several_lines_as_many_are_shown_as_are_sure_together() -> None:
    pieces = [Piece("\n    b = a", 0.9), Piece("\n", 0.9), Piece("    c = b", 0.5), Piece("\n", 0.9)]
    unsure = structs.replace(infilled(), pieces=(*pieces, Piece("    return d", 0.1)))
    for confidence, text in (
        (0.0, "\n    b = a\n    c = b\n    return d"),
        (0.3, "\n    b = a\n    c = b"),
        (0.7, "\n    b = a"),
        (0.9, None),
    ):
        suggestion = finish(
            hole_at("def f(a):¦\n"), structs.replace(unsure, end=1.0), SuggestSettings(confidence=confidence)
        )
        assert (suggestion and suggestion.text) == text


def test_the_first_lines_of_an_unfinished_canvas_are_shown() -> None:
    suggestion = finish(hole_at("def f(a):¦\n"), infilled("\n    b = a", "\n    c", None), SETTINGS)
    assert (suggestion and suggestion.text) == "\n    b = a"


def test_several_lines_do_not_repeat_those_above() -> None:
    marked = "def f(a):\n    b = a\n    c = b\n    ¦\n"
    assert finish(hole_at(marked), infilled("b = a\n    c = b"), SETTINGS) is None
    suggestion = finish(hole_at(marked), infilled("b = a\n    c = a"), SETTINGS)
    assert (suggestion and suggestion.text) == "b = a\n    c = a"


def test_what_is_left_of_several_lines_has_its_own_confidence() -> None:
    written = infilled("b = a", "\n    c = b", "\n    return c\n", probability=0.5, end=0.5)
    suggestion = finish(
        hole_at("def f(a):\n    ¦\n    return c\n"), written, structs.replace(MANY, confidence=0)
    )
    assert (suggestion and (suggestion.text, suggestion.confidence)) == ("b = a\n    c = b", 0.25)


def test_doubtful_text_stays_hidden() -> None:
    doubtful = infilled("f(", "a", ")", probability=0.6, end=1.0)
    assert finish(hole_at("x = ¦\n"), doubtful, SETTINGS) is None
    assert finish(hole_at("x = ¦\n"), doubtful, SuggestSettings(confidence=0.2)) is not None


def test_confidence_is_that_of_the_tokens_that_are_left() -> None:
    suggestion = finish(
        hole_at("x = f(¦)\n"), infilled("a", ")", probability=0.5, end=0.5), SuggestSettings(confidence=0)
    )
    assert suggestion is not None
    assert (suggestion.text, suggestion.confidence) == ("a", 0.5)


def test_an_unfinished_canvas_shows_nothing() -> None:
    assert finish(hole_at("x = ¦\n"), infilled("f(", None), SETTINGS) is None


def test_syntax_is_judged_in_python_only() -> None:
    wrong = infilled("= = 1")
    assert finish(hole_at("x ¦\n"), wrong, SETTINGS) is None
    assert finish(hole_at("x ¦\n", language="perl"), wrong, SETTINGS) is not None


lines = st.lists(
    st.sampled_from(["", "x = f(a)", "return x", "    y = [1]", "    )", "if x:", "\tpass"]), max_size=6
)
documents = st.builds(
    lambda above, head, tail, below, end: end.join([*above, f"{head}¦{tail}", *below]),
    lines,
    st.sampled_from(["", "    ", "x = ", "f(", "    y = [", "'", "\t"]),
    st.sampled_from(["", ")", "]", "'", " b)", ":", "a)", "x = f(a)", ", a):", "= 1", "'a'"]),
    lines,
    st.sampled_from(["\n", "\r\n", "\r"]),
)
written = st.lists(
    st.sampled_from(
        ["x", " = ", "f", "(", "a", ")", "[", "]", "'", ":", "return ", "    ", "\t", "\n", "1", ", "]
    ),
    max_size=8,
)


@given(documents, written, st.sampled_from(["auto", "one", "many"]))
def test_the_text_is_the_beginning_of_what_the_engine_wrote_and_repeats_no_neighbor(
    marked: str, tokens: list[str], lines: Lines
) -> None:
    snapshot = snapshot_of(marked)
    suggestion = finish(vicinity(snapshot), infilled(*tokens), structs.replace(SETTINGS, lines=lines))
    if suggestion is None:
        return
    assert suggestion.text.strip()
    assert lines != "one" or "\n" not in suggestion.text
    assert without_blanks("".join(tokens)).startswith(without_blanks(suggestion.text))
    line = snapshot.lines[snapshot.line]
    inserted = line[: snapshot.column] + suggestion.text + line[snapshot.column :]
    following = [line.rstrip() for line in snapshot.lines[snapshot.line + 1 :] if line.strip()]
    finished = [line.rstrip() for line in inserted.split("\n")]
    assert not following or following[0] not in finished
    assert all(one != other or not one for one, other in pairwise(finished))
    head, tail = line[: snapshot.column], line[snapshot.column :].rstrip()
    assert not (is_word(suggestion.text[-1:]) and is_word(tail[:1]) and not is_word(head[-1:]))
    for length in range(1, len(tail) + 1):
        copied = tail[:length]
        if suggestion.text.endswith(copied) and copied.strip(" )]}"):
            kept = (head + suggestion.text).removesuffix(copied)
            assert is_word(kept[-1:])
            assert is_word(copied[0])


def is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def without_blanks(text: str) -> str:
    return "".join(text.split())


@given(documents, st.lists(st.text(max_size=5), max_size=5), st.floats(0, 1))
def test_any_text_gets_an_answer_above_the_gate(marked: str, tokens: list[str], probability: float) -> None:
    suggestion = finish(hole_at(marked), infilled(*tokens, probability=probability), SETTINGS)
    assert suggestion is None or suggestion.confidence >= SETTINGS.confidence


@pytest.mark.parametrize(("offset", "shown"), [(2.0, 0.880797), (0.0, 0.5), (-1.0, None)])
def test_confidence_and_gate_are_what_the_model_s_probability_is_worth(
    offset: float, shown: float | None
) -> None:
    written = structs.replace(infilled("f(a)", probability=0.5), calibration=Calibration(1.0, offset))
    suggestion = finish(hole_at("x = ¦\n"), written, SETTINGS)
    assert (suggestion and suggestion.confidence) == (shown and pytest.approx(shown))


def test_what_is_just_as_sure_as_the_settings_want_is_shown() -> None:
    for confidence, shown in ((0.5, True), (0.51, False)):
        settings = SuggestSettings(confidence=confidence)
        suggestion = finish(hole_at("x = ¦\n"), infilled("f(a)", probability=0.5), settings)
        assert (suggestion is not None) == shown


def test_confidence_is_of_the_text_that_is_left() -> None:
    pieces = (Piece("a", 0.8), Piece(")", 0.5))
    written = structs.replace(infilled(), pieces=pieces, calibration=Calibration(2.0, 0.5))
    suggestion = finish(hole_at("f(¦)\n"), written, SETTINGS)
    assert suggestion is not None
    assert suggestion.confidence == Calibration(2.0, 0.5)(0.8)
