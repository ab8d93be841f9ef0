"""How long the canvases of a request are, and which of its candidates is the best.

Length decides more of the quality than anything else. A model that can *delete* starts with all the room there is.
For one that cannot, canvases of several lengths see one pass, and the most promising are decoded side by side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.policies import Proposals

LENGTHS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""What is tried where the model cannot say where the text ends."""


def lengths_within(longest: int) -> list[int]:
    """Return the lengths to try on canvases of at most `longest` tokens."""
    return [length for length in LENGTHS if length < longest] + [longest]


def promise(proposals: Proposals) -> Tensor:
    """Return how promising canvases of nothing but masks are by their first pass, [rows].

    That is a canvas's mean confidence divided by what is usual at its length, since short canvases are surer (CAL:
    arXiv:2602.00476, with its bias curve, which was fitted to LLaDA).
    """
    lengths = proposals.open.sum(-1)
    confidence = (proposals.confidence * proposals.open).sum(-1) / lengths
    usual = 1.00 * (-1.77 * lengths).exp() + 0.56 * (-0.06 * lengths).exp() + 0.24
    return confidence / usual


def merit(canvas: Canvas, fit: Tensor) -> Tensor:
    """Return how good finished candidates are, [rows], in nats a token.

    That is the mean of two log-probabilities: of their own tokens, and of the code after them (PILL, 2026).
    """
    rows = (canvas.row(number).probability for number in range(len(canvas.lengths)))
    own = [row.clamp(min=1e-9).log().mean() if row.numel() else fit.new_zeros(()) for row in rows]
    return (torch.stack(own) + fit) / 2
