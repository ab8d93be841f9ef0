"""From an encoded context to the best of several finished canvases. Knows ids, no text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.denoising import denoise
from dllm_lsp.engine.effort import Effort
from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.length import lengths_within, merit, promise
from dllm_lsp.engine.model import Context, Model

_Context = TypeVar("_Context", bound=Context)


def infill(
    model: Model[_Context],
    context: _Context,
    longest: int,
    effort: Effort,
    budget: Budget,
    *,
    device: torch.device,
    stem: Stem | None = None,
    exact: bool = False,
) -> Iterator[tuple[Canvas, bool]]:
    """Fill canvases of at most `longest` tokens, with `exact` one of just as many; the last one that is yielded is it.

    Those before it are drafts of the likeliest candidate, one after every step. All begin with `stem`. With
    each comes whether no other candidate may yet be taken instead of it.
    """
    tokens = model.tokens.fixed if exact else model.tokens
    lengths = [longest] if exact else _lengths(model, context, longest, effort, budget=budget, device=device)
    rows = [context] * len(lengths)
    denoiser = model.denoiser(rows, longest)
    budget.begin()
    masks = Canvas.masked(tokens, lengths, device)
    for canvas in denoise(denoiser, masks, effort.policy, budget, longest, stem=stem):
        yield canvas.row(0), len(rows) == 1
    if len(rows) > 1:
        budget.spend()
        best = merit(canvas, model.fit(rows, canvas.ids, canvas.lengths)).argmax()
        yield canvas.row(int(best)), True


def _lengths(
    model: Model[_Context],
    context: _Context,
    longest: int,
    effort: Effort,
    *,
    budget: Budget,
    device: torch.device,
) -> list[int]:
    """Return the lengths that the candidates begin with, the likeliest first.

    A model that can delete is given all the room there is. For one that cannot, canvases of many lengths see one
    pass each, and the most promising are decoded.
    """
    if model.tokens.delete is not None:
        return [longest]
    lengths = lengths_within(longest)
    found: list[Tensor] = []
    for start in range(0, len(lengths), effort.batch):
        some = lengths[start : start + effort.batch]
        canvas = Canvas.masked(model.tokens, some, device)
        denoiser = model.denoiser([context] * len(some), max(some))
        logits = denoiser(canvas.ids, canvas.lengths)
        budget.spend()
        found.append(promise(canvas.proposals(logits, longest), canvas.lengths))
    best = torch.cat(found).topk(min(effort.candidates, len(lengths))).indices
    return [lengths[number] for number in best.tolist()]
