"""How well held-out canvases are denoised, by how much of them is hidden."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.batches import Batch
from dllm_lsp.training.losses import canvas_sources, hidden_states

LEVELS = (25, 50, 75, 99, 100)
"""Percent of a hole's tokens that are masked, at most."""


@torch.no_grad()
def losses_by_level(model: StreamsModel, batches: Iterable[Batch]) -> dict[int, float]:
    """Return the mean negative log-likelihood of masked tokens, in nats, at each level that occurs.

    What stands behind a hole's end is left out: it is easy, and would say nothing of what is written.
    """
    totals, counts = torch.zeros(len(LEVELS)), torch.zeros(len(LEVELS))
    for batch in batches:
        nats, percent = _masked_tokens(model, batch)
        level = torch.bucketize(percent, torch.tensor(LEVELS, dtype=percent.dtype))
        totals.index_add_(0, level, nats)
        counts.index_add_(0, level, torch.ones_like(nats))
    means = zip(LEVELS, (totals / counts).tolist(), counts.tolist(), strict=True)
    return {level: mean for level, mean, count in means if count}


def _masked_tokens(model: StreamsModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return for each masked token [n] its negative log-likelihood and the percentage of its hole that is masked."""
    cell = torch.arange(batch.canvas.shape[2], device=batch.canvas.device)
    written = (cell < batch.canvas_lengths[..., None]) & (batch.targets != Tokenizer.delete)
    masked = written & (batch.canvas == Tokenizer.mask)
    percent = 100 * masked.sum(-1, keepdim=True) / written.sum(-1, keepdim=True).clamp(min=1)
    chosen = masked.flatten(1)
    hidden = hidden_states(model, batch)
    targets = batch.targets.flatten(1)
    copied, kept = model.copies.log_likelihoods(
        hidden.canvases, targets.clamp(min=0), canvas_sources(model, hidden, batch)
    )
    logits = model.transformer.logits(hidden.canvases[chosen]).float()
    own = logits.log_softmax(-1).gather(-1, targets[chosen][:, None])[:, 0]
    likelihood = torch.logaddexp(own + kept[chosen], copied[chosen])
    return -likelihood.cpu(), percent.expand_as(masked).flatten(1)[chosen].cpu()
