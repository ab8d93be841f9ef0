"""The denoising loop: canvases of masks become code in a few passes, and every pass gives a draft."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.model import Denoiser
from dllm_lsp.engine.policies import Policy, everything


def denoise(
    denoiser: Denoiser,
    canvas: Canvas,
    policy: Policy,
    *,
    budget: int,
    passes: int,
    is_late: Callable[[], bool],
) -> Iterator[Canvas]:
    """Yield the canvases after every step, at least one, the last ones without masks.

    In the last of `passes`, and once `is_late` says that the time is up, whatever is proposed is accepted, so
    that a budget cuts confidence and not the text. No row grows beyond `budget` tokens.
    """
    for number in range(max(1, passes)):
        logits = denoiser(canvas.ids, canvas.lengths)
        if number + 1 >= passes or is_late():
            canvas = canvas.step(canvas.proposals(logits, budget=0), everything, sure=0.0)
        else:
            canvas = canvas.step(canvas.proposals(logits, budget), policy)
        yield canvas
        if canvas.settled:
            return
