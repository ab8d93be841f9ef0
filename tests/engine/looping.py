"""Denoising as a request does it, one step after the other, with whatever gives logits for canvases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.denoising import step
from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.policies import Policy

Run = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""From canvases [n] to the logits [n, vocabulary] of each."""


def denoise(
    run: Run, canvas: Canvas, policy: Policy, budget: Budget, longest: int, *, stem: Stem | None = None
) -> Iterator[Canvas]:
    """Yield the canvases after every step until no row has a mask left."""
    while not canvas.settled:
        canvas = step(canvas, run(canvas.written), policy, budget, longest, stem=stem)
        yield canvas
