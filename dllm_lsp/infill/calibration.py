"""What a model's probabilities are worth."""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import Meta, Struct


class Calibration(Struct, frozen=True):
    """How often texts are right that the model gives some probability: a line over its log-odds (Platt 1999)."""

    slope: Annotated[float, Meta(gt=0)]
    offset: float

    def __call__(self, probability: float) -> float:
        """Return the share of texts of this probability that are exactly right; it grows with the probability."""
        return (1 + math.tanh((self.slope * log_odds(probability) + self.offset) / 2)) / 2


def worth(probability: float, calibration: Calibration | None) -> float:
    """Return what a model's probability is worth; itself where that is not known."""
    return calibration(probability) if calibration else probability


def log_odds(probability: float) -> float:
    """Return the logarithm of a probability's odds, finite for 0 and 1 too."""
    probability = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(probability / (1 - probability))
