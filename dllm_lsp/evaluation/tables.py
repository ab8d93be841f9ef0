"""Markdown tables of an evaluation's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dllm_lsp.evaluation.figures import Figures, Gate
from dllm_lsp.settings import SuggestSettings

_ROWS = {
    "cases": "cases",
    "passed": "pass@1",
    "exact": "exactly right",
    "first_word": "first word right",
    "similarity": "edit similarity",
    "shown": "something to show, gate 0",
    "true_length": "true length guessed",
    "true_length_within_1": "true length guessed within one token",
    "longer": "truth longer than the canvas",
    "tokens": "tokens written",
    "steps": "denoising steps",
    "passes": "network passes",
    "tokens_per_step": "tokens a denoising step",
    "milliseconds_p50": "ms, p50",
    "milliseconds_p95": "ms, p95",
}
_LENGTHS = frozenset({"true_length", "true_length_within_1", "longer"})
_SHARES = _LENGTHS | frozenset({"passed", "exact", "first_word", "similarity", "shown"})


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figures_table(columns: Mapping[str, Figures], *, length_given: bool = False) -> str:
    """Return a table with one column for each of the figures.

    Rows that hold nothing are left out, and with `length_given` those of the length.
    """
    rows = []
    for name, title in _ROWS.items():
        if length_given and name in _LENGTHS:
            continue
        values = [getattr(figures, name) for figures in columns.values()]
        if any(value is not None for value in values):
            rows.append([title, *(_shown(name, value) for value in values)])
    return table(["", *columns], rows)


def gates_table(gates: Sequence[Gate]) -> str:
    """Return a table with one column for each position of the gate."""
    precisions = ["-" if gate.precision is None else f"{gate.precision:.0%}" for gate in gates]
    return table(
        ["confidence gate", *(f"{gate.confidence:.1f}" for gate in gates)],
        [
            ["shown at", *(f"{gate.coverage:.0%}" for gate in gates)],
            ["exactly right of these", *precisions],
        ],
    )


def in_words(figures: Figures, gates: Sequence[Gate]) -> str:
    """Return what the figures come to, in a sentence or two."""
    said = f"Of {figures.cases:,} holes, {figures.exact:.0%} were filled with exactly what stood there."
    if not gates:
        return said
    gate = min(gates, key=lambda gate: abs(gate.confidence - SuggestSettings().confidence))
    said += f" At suggest.confidence {gate.confidence:.1f}, something is shown at {gate.coverage:.0%}"
    said += " of the places on one line"
    if gate.precision is not None:
        said += f", and {gate.precision:.0%} of that is exactly right"
    return f"{said}."


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name in _SHARES:
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.1f}"
