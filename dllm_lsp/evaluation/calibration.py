"""What confidence is worth: the map that makes it a probability, and how far it is from one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dllm_lsp.evaluation.answers import Answer
from dllm_lsp.evaluation.figures import Gate
from dllm_lsp.infill.calibration import Calibration, log_odds

BINS = 10
LEAST_PRECISION = 0.5
"""At the default gate, of what is shown."""

_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Bin:
    """Suggestions of about the same confidence: its mean, the share that is exactly right, and how many they are."""

    confidence: float
    exact: float
    count: int


def fit(answers: Sequence[Answer]) -> Calibration:
    """Fit the map from the probabilities of suggestions to how often they are exactly right.

    Platt scaling (Platt 1999) of their log-odds, by Newton's method, with his smoothed targets, so that a
    separable sample has a finite answer too. Raises ValueError when the sample holds only right or only wrong
    suggestions, or the surer ones are no more often right.
    """
    confidence, exact = _arrays(answers)
    right, wrong = int(exact.sum()), int((~exact).sum())
    if not right or not wrong:
        raise ValueError(
            f"of {len(exact)} suggestions {right} are right: there is nothing to learn from them"
        )
    targets = np.where(exact, (right + 1) / (right + 2), 1 / (wrong + 2))
    features = np.array([[log_odds(probability), 1.0] for probability in confidence])
    weights = np.zeros(2)
    for _ in range(_ROUNDS):
        shares = (1 + np.tanh(features @ weights / 2)) / 2
        curvature = (features * (shares * (1 - shares))[:, None]).T @ features + 1e-9 * np.eye(2)
        change = np.linalg.solve(curvature, features.T @ (targets - shares))
        weights += change
        if np.abs(change).max() < 1e-9:
            break
    if weights[0] <= 0:
        raise ValueError("the model's surer suggestions are no more often right: its confidence says nothing")
    return Calibration(slope=float(weights[0]), offset=float(weights[1]))


def bins(answers: Sequence[Answer]) -> list[Bin]:
    """Return the suggestions in bins of equally wide confidence, those that hold any."""
    confidence, exact = _arrays(answers)
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(float(confidence[chosen].mean()), float(exact[chosen].mean()), int(chosen.sum()))
        for chosen in (number == n for n in range(BINS))
        if chosen.any()
    ]


def calibration_error(found: Sequence[Bin]) -> float:
    """Return the expected calibration error (Naeini et al. 2015): the bins' mean distance from the truth, by size."""
    return sum(b.count * abs(b.confidence - b.exact) for b in found) / sum(b.count for b in found)


def default_gate(curve: Sequence[Gate]) -> Gate | None:
    """Return the gate of the widest coverage at which half or more of what is shown is right, or None."""
    good = [gate for gate in curve if gate.precision is not None and gate.precision >= LEAST_PRECISION]
    return max(good, key=lambda gate: gate.coverage, default=None)


def _arrays(answers: Sequence[Answer]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return confidence and exactness of the answers that would be shown."""
    shown = [answer for answer in answers if answer.text is not None]
    return np.array([answer.confidence for answer in shown]), np.array(
        [answer.is_exact for answer in shown], bool
    )
