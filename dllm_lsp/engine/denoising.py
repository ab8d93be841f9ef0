"""The denoising loop: a canvas of masks becomes code in a few passes, and every pass gives a draft."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.policies import Policy, everything

Denoiser = Callable[[Tensor], Tensor]
"""From canvas ids [length] to the probabilities of every position's tokens [length, vocabulary]."""


def denoise(
    denoiser: Denoiser,
    length: int,
    policy: Policy,
    *,
    passes: int,
    is_late: Callable[[], bool],
    device: torch.device,
) -> Iterator[Canvas]:
    """Yield the canvas after every step, at least one, the last one without masks.

    In the last of `passes`, and once `is_late` says that the time is up, whatever is proposed is accepted, so
    that a budget cuts confidence and not the text.
    """
    canvas = Canvas.masked(length, device)
    for number in range(max(1, passes)):
        probabilities = denoiser(canvas.ids)
        if number + 1 >= passes or is_late():
            canvas = canvas.step(probabilities, everything, sure=0.0)
        else:
            canvas = canvas.step(probabilities, policy)
        yield canvas
        if canvas.settled:
            return
