"""From answers to figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from rapidfuzz.distance import Levenshtein

from dllm_lsp.evaluation.answers import Answer

GATES = tuple(number / 10 for number in range(10))

_WORD = re.compile(r"\s*(\w+|[^\w\s]+)")


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over answers; shares are 0 to 1, and what is not shown counts as wrong.

    `passed` is pass@1, None where there are no programs. `similarity` is 1 - Levenshtein distance / the longer text's
    length. `longer` is the share of cases whose truth takes more tokens than a canvas has. `tokens_per_step` leaves
    the passes out that encode the context.
    """

    cases: int
    passed: float | None
    exact: float
    first_word: float
    similarity: float
    shown: float
    true_length: float
    true_length_within_1: float
    longer: float
    tokens: float
    steps: float
    passes: float
    tokens_per_step: float
    milliseconds_p50: float
    milliseconds_p95: float


@dataclass(frozen=True, slots=True)
class Gate:
    """What is shown when suggestions below `confidence` stay hidden: the share of cases, and how many are exact.

    `precision` is None where nothing is shown.
    """

    confidence: float
    coverage: float
    precision: float | None


def figures(answers: Sequence[Answer]) -> Figures:
    """Return the figures of at least one answer."""
    p50, p95 = np.percentile([answer.milliseconds for answer in answers], [50, 95])
    passed = [answer.passed for answer in answers if answer.passed is not None]
    return Figures(
        cases=len(answers),
        passed=fmean(passed) if passed else None,
        exact=fmean(answer.is_exact for answer in answers),
        first_word=fmean(first_word(answer.text) == first_word(answer.truth) for answer in answers),
        similarity=fmean(
            Levenshtein.normalized_similarity(answer.text or "", answer.truth) for answer in answers
        ),
        shown=fmean(answer.text is not None for answer in answers),
        true_length=fmean(answer.tokens == answer.true_tokens for answer in answers),
        true_length_within_1=fmean(abs(answer.tokens - answer.true_tokens) <= 1 for answer in answers),
        longer=fmean(not answer.fits for answer in answers),
        tokens=fmean(answer.tokens for answer in answers),
        steps=fmean(answer.steps for answer in answers),
        passes=fmean(answer.passes for answer in answers),
        tokens_per_step=sum(answer.tokens for answer in answers) / sum(answer.steps for answer in answers),
        milliseconds_p50=float(p50),
        milliseconds_p95=float(p95),
    )


def gates(answers: Sequence[Answer], positions: Sequence[float] = GATES) -> list[Gate]:
    """Return coverage and precision as the confidence gate moves."""
    found = []
    for gate in positions:
        shown = [answer for answer in answers if answer.text is not None and answer.confidence >= gate]
        precision = fmean(answer.is_exact for answer in shown) if shown else None
        found.append(Gate(gate, len(shown) / len(answers), precision))
    return found


def first_word(text: str | None) -> str | None:
    """Return the first word or run of marks, with the blanks before it."""
    match = _WORD.match(text or "")
    return match[0] if match else None
