import random
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.evaluation.answers import Answer
from dllm_lsp.evaluation.calibration import Bin, bins, calibration_error, default_gate, fit
from dllm_lsp.evaluation.diagram import reliability_diagram
from dllm_lsp.evaluation.figures import Gate
from dllm_lsp.infill.calibration import Calibration


def answer(confidence: float, is_exact: bool, *, shown: bool = True) -> Answer:
    text = ("x" if is_exact else "y") if shown else None
    return Answer("a", "line", "x", text, confidence, 1, 1, True, 1, 1, 1.0)


def answers(true_map: Calibration, count: int = 4000) -> list[Answer]:
    rng = random.Random(0)
    drawn = [rng.random() for _ in range(count)]
    return [answer(confidence, rng.random() < true_map(confidence)) for confidence in drawn]


@pytest.mark.parametrize("true_map", [Calibration(1, 0), Calibration(0.5, -1), Calibration(2, 1.5)])
def test_the_map_is_found_from_what_it_made(true_map: Calibration) -> None:
    found = fit(answers(true_map))
    assert found.slope == pytest.approx(true_map.slope, abs=0.15)
    assert found.offset == pytest.approx(true_map.offset, abs=0.15)


def test_calibrating_lowers_the_error() -> None:
    sample = answers(Calibration(0.5, -1))
    found = fit(sample)
    calibrated = [answer(found(a.confidence), a.is_exact) for a in sample]
    assert calibration_error(bins(calibrated)) < 0.03 < 0.1 < calibration_error(bins(sample))


def test_a_sample_that_is_told_apart_perfectly_has_a_finite_map() -> None:
    found = fit([answer(0.2, False)] * 50 + [answer(0.8, True)] * 50)
    assert 0.9 < found(0.8) < 1
    assert 0 < found(0.2) < 0.1


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ([], "0 suggestions"),
        ([answer(0.5, True)] * 9, "9 are right"),
        ([answer(0.5, False)] * 9, "0 are right"),
        ([answer(0.9, False), answer(0.1, True)] * 20, "surer suggestions are no more often right"),
    ],
)
def test_what_teaches_nothing_is_refused(sample: list[Answer], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(sample)


@given(st.floats(0.01, 50), st.floats(-50, 50), st.floats(0, 1), st.floats(0, 1))
def test_a_calibrated_confidence_is_a_probability_and_keeps_the_order(
    slope: float, offset: float, a: float, b: float
) -> None:
    calibrated = Calibration(slope, offset)
    low, high = calibrated(min(a, b)), calibrated(max(a, b))
    assert 0 <= low <= high <= 1


@given(st.floats(1e-6, 1 - 1e-6))
def test_the_neutral_map_changes_nothing(probability: float) -> None:
    assert Calibration(1, 0)(probability) == pytest.approx(probability)


def test_bins_are_equally_wide_and_leave_out_what_is_not_shown() -> None:
    sample = [answer(0.02, False), answer(0.08, True), answer(1.0, True), answer(0.0, False, shown=False)]
    assert bins(sample) == [Bin(pytest.approx(0.05), 0.5, 2), Bin(1.0, 1.0, 1)]


def test_the_error_is_the_mean_distance_by_size() -> None:
    assert calibration_error([Bin(0.2, 0.5, 30), Bin(0.9, 0.9, 10)]) == pytest.approx(0.225)


def test_the_default_gate_shows_most_with_half_of_it_right() -> None:
    curve = [
        Gate(0.0, 0.9, 0.2),
        Gate(0.1, 0.5, 0.5),
        Gate(0.2, 0.4, 0.45),
        Gate(0.3, 0.1, 0.9),
        Gate(0.4, 0, None),
    ]
    assert default_gate(curve) == curve[1]
    assert default_gate(curve[:1]) is None


def test_the_diagram_has_a_dot_for_each_bin_at_its_place() -> None:
    drawing = ElementTree.fromstring(reliability_diagram([Bin(0.0, 1.0, 4), Bin(1.0, 0.0, 16)], "a < b"))
    dots = [element.attrib for element in drawing if element.tag.endswith("circle")]
    assert [(dot["cx"], dot["cy"]) for dot in dots] == [("56.0", "56.0"), ("456.0", "456.0")]
    assert float(dots[1]["r"]) == 2 * float(dots[0]["r"])
    assert "a < b" in [element.text for element in drawing]
