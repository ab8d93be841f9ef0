"""Markdown tables of an evaluation's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dllm_lsp.evaluation.figures import Figures, Gate

_ROWS = {
    "places": "places",
    "exact": "rest of the line exactly right",
    "first_word": "first word right",
    "similarity": "edit similarity",
    "shown": "something to show, gate 0",
    "true_length": "true length guessed",
    "tokens": "tokens written",
    "steps": "denoising steps",
    "passes": "network passes",
    "tokens_per_step": "tokens a denoising step",
    "milliseconds_p50": "ms, p50",
    "milliseconds_p95": "ms, p95",
}
_SHARES = ("exact", "first_word", "similarity", "shown", "true_length")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figures_table(columns: Mapping[str, Figures]) -> str:
    """Return a table with one column for each of the figures."""
    rows = [
        [title, *(_shown(name, getattr(figures, name)) for figures in columns.values())]
        for name, title in _ROWS.items()
    ]
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


def _shown(name: str, value: float) -> str:
    if name in _SHARES:
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.1f}"
