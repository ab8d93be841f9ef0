import pytest

from dllm_lsp.evaluation.answers import Answer
from dllm_lsp.evaluation.figures import figures, gates
from dllm_lsp.evaluation.tables import figures_table, gates_table, table


def answer(truth: str, text: str | None, confidence: float = 0.5, **other: object) -> Answer:
    counts = {"tokens": 4, "true_tokens": 4, "fits": True, "steps": 2, "passes": 3, "milliseconds": 10.0}
    return Answer("a", "line", truth, text, confidence, **(counts | other))  # type: ignore[arg-type]


ANSWERS = [
    answer("return x", "return x", 0.9, passed=True),
    answer("return x", "return y", 0.6, tokens=2, milliseconds=20.0, passed=True),
    answer("x)", None, 0.0, tokens=5, steps=4, passes=4, milliseconds=30.0, passed=False),
    answer("x.y", "z", 0.3, true_tokens=9, fits=False),
]


def test_shares_count_what_is_not_shown_as_wrong() -> None:
    found = figures(ANSWERS)
    assert found.cases == 4
    assert found.exact == 0.25
    assert found.first_word == 0.5
    assert found.shown == 0.75
    assert (found.true_length, found.true_length_within_1, found.longer) == (0.25, 0.5, 0.25)
    assert found.similarity == pytest.approx((1 + 7 / 8 + 0 + 0) / 4)


def test_pass_at_1_is_of_those_with_a_program() -> None:
    assert figures(ANSWERS).passed == pytest.approx(2 / 3)
    assert figures(ANSWERS[3:]).passed is None


def test_means_and_percentiles() -> None:
    found = figures(ANSWERS)
    assert (found.tokens, found.steps, found.passes) == (3.75, 2.5, 3.25)
    assert found.tokens_per_step == 15 / 10
    assert found.milliseconds_p50 == 15
    assert 25 < found.milliseconds_p95 <= 30


@pytest.mark.parametrize(
    ("text", "is_exact"),
    [("x = 1", True), ("x = 1  ", True), (" x = 1", False), ("x = 1)", False), ("x =", False), (None, False)],
)
def test_exact_is_the_whole_truth(text: str | None, is_exact: bool) -> None:
    assert answer("x = 1", text).is_exact == is_exact


@pytest.mark.parametrize(
    ("truth", "text", "is_right"),
    [
        ("foo(bar)", "foo[0]", True),
        ("foo(bar)", "food", False),
        ("(a)", "(b)", True),
        (" = 1", "= 1", False),
        (" = 1", " = 2", True),
        ("x", None, False),
    ],
)
def test_the_first_word_comes_with_the_blanks_before_it(truth: str, text: str | None, is_right: bool) -> None:
    assert figures([answer(truth, text)]).first_word == is_right


def test_a_higher_gate_shows_fewer() -> None:
    curve = gates(ANSWERS)
    assert [gate.confidence for gate in curve] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [gate.coverage for gate in curve] == [0.75] * 4 + [0.5] * 3 + [0.25] * 3
    assert curve[0].precision == pytest.approx(1 / 3)
    assert curve[4].precision == 0.5
    assert curve[9].precision == 1
    assert gates([answer("x", None, 0)])[0].precision is None


def test_tables() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    columns = {"all": figures(ANSWERS), "one": figures(ANSWERS[3:])}
    lines = figures_table(columns).splitlines()
    assert lines[0] == "|  | all | one |"
    assert lines[2] == "| cases | 4 | 1 |"
    assert lines[3] == "| pass@1 | 66.7% | - |"
    assert lines[4] == "| exactly right | 25.0% | 0.0% |"
    assert lines[-1].startswith("| ms, p95 | 2")
    assert "true length" not in figures_table(columns, length_given=True)
    assert "pass@1" not in figures_table({"one": columns["one"]})
    assert "| exactly right of these | 33% | 33% | 33% | 33% | 50% | 50% | 50% | 100% | 100% | 100% |" in (
        gates_table(gates(ANSWERS))
    )
    assert gates_table(gates([answer("x", None, 0)])).endswith("| exactly right of these |" + " - |" * 10)
