"""A denoising step: what a pass proposes for canvases of masks becomes the canvases after it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.policies import Policy, everything


def step(
    canvas: Canvas,
    logits: Sequence[Tensor],
    policy: Policy,
    budget: Budget,
    longest: int,
    *,
    stem: Stem | None = None,
) -> Canvas:
    """Return the canvases after a pass that gave `logits` [n, vocabulary] for each row; spend that pass.

    No row grows beyond `longest` tokens, and every row begins with `stem`. Once the budget is spent, whatever is
    proposed is accepted, so that a budget cuts confidence and not the text.
    """
    budget.spend()
    if budget.is_spent:
        return canvas.step(canvas.proposed(logits, 0, stem), everything, sure=0.0)
    return canvas.step(canvas.proposed(logits, longest, stem), policy)
