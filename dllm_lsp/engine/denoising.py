"""The denoising loop: canvases of masks become code in a few passes, and every pass gives a draft."""

from __future__ import annotations

from collections.abc import Iterator

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.model import Denoiser
from dllm_lsp.engine.policies import Policy, everything


def denoise(
    denoiser: Denoiser,
    canvas: Canvas,
    policy: Policy,
    budget: Budget,
    longest: int,
    *,
    stem: Stem | None = None,
) -> Iterator[Canvas]:
    """Yield the canvases after every step until no row has a mask left; no row grows beyond `longest` tokens.
    Every row begins with `stem`.

    Easy canvases end after a pass or two, since a step accepts all that is sure. Once the budget is spent,
    whatever is proposed is accepted, so that a budget cuts confidence and not the text.
    """
    while not canvas.settled:
        logits = denoiser(canvas.ids, canvas.lengths)
        budget.spend()
        if budget.is_spent:
            canvas = canvas.step(canvas.proposals(logits, 0, stem), everything, sure=0.0)
        else:
            canvas = canvas.step(canvas.proposals(logits, longest, stem), policy)
        yield canvas
