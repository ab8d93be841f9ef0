"""The attention of a training batch in blocks, for a GPU: what no query sees is never computed.

Gives what `losses.TrainingAttention` gives, by FlexAttention (Dong et al. 2024, arXiv:2412.05496). A canvas query is
turned once for each kind of stream, so there are as many passes, over *before* and the canvases, over *after*, and over
the snippets; they are merged by the logarithms of their sums, which is one softmax over all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import AuxRequest, BlockMask, create_block_mask, flex_attention

from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.batches import Batch, sizes


class FlexTrainingAttention:
    """Who attends to whom in a batch laid out as `losses.hidden_states` does."""

    def __init__(self, model: StreamsModel, batch: Batch) -> None:
        documents, entries = batch.before.shape
        device = batch.before.device
        self.sizes = sizes(batch)
        count = torch.arange(entries, device=device).expand(documents, -1)
        cell = torch.arange(batch.canvas.shape[2], device=device)
        place = torch.arange(batch.snippets.shape[2], device=device).repeat(batch.snippets.shape[1])
        before, after = batch.visible[..., :1], batch.visible[..., 1:]
        to_before = (before + cell).flatten(1)
        to_after = (cell - model.config.reach - (after - 1)).flatten(1)
        to_snippets = (model.config.before + cell).repeat(batch.canvas.shape[1])
        rotation = model.transformer.rotation
        self.turn_to_before = rotation(torch.cat([count, to_before], dim=1)[:, None])
        self.turn_to_after = rotation(torch.cat([-count, to_after], dim=1)[:, None])
        self.turn_to_snippets = rotation(torch.cat([place, to_snippets]))
        self.turn_after, self.turn_snippets = rotation(-count[:, None]), rotation(place)
        self.sees_before, self.sees_after, self.sees_snippets = _masks(batch)

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend in one layer; see `models.transformer.Attend`."""
        query, key = query.to(value.dtype), key.to(value.dtype)  # autocast norms in float32
        queries, keys, values = (x.split(self.sizes, dim=2) for x in (query, key, value))
        found = [
            _attend(
                self.turn_to_before(torch.cat([queries[0], queries[3]], dim=2)),
                self.turn_to_before(torch.cat([keys[0], keys[3]], dim=2)),
                torch.cat([values[0], values[3]], dim=2),
                self.sees_before,
            ),
            _attend(
                self.turn_to_after(torch.cat([queries[1], queries[3]], dim=2)),
                self.turn_after(keys[1]),
                values[1],
                self.sees_after,
            ),
        ]
        if self.sees_snippets is not None:
            in_snippets = self.turn_to_snippets(torch.cat([queries[2], queries[3]], dim=2))
            found.append(_attend(in_snippets, self.turn_snippets(keys[2]), values[2], self.sees_snippets))
        streams = [mixed.split([mixed.shape[2] - self.sizes[3], self.sizes[3]], dim=2) for mixed, _ in found]
        sums = torch.stack([each[:, :, -self.sizes[3] :] for _, each in found])
        shares = sums.softmax(0)[..., None].to(value.dtype)
        canvases = (shares * torch.stack([canvas for _, canvas in streams])).sum(0)
        return torch.cat([*(own for own, _ in streams), canvases], dim=2)


def _masks(batch: Batch) -> tuple[BlockMask, BlockMask, BlockMask | None]:
    """Return what each kind of stream and the canvases see of that kind; [before | canvases] also of the canvases.

    None where there are no snippets. Where there is no hole, the canvas sees the begin tokens, so that its softmax is
    finite.
    """
    documents, entries = batch.before.shape
    (count, room), (holes, canvas) = batch.snippets.shape[1:], batch.canvas.shape[1:]
    cells = holes * canvas
    seen_before, seen_after = batch.visible.clamp(min=1).unbind(-1)
    lengths, snippet_lengths, device = batch.canvas_lengths, batch.snippet_lengths, str(batch.before.device)

    def sees_before(document: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        hole = (query - entries).clamp(min=0) // canvas
        column = key - entries
        is_own = (column >= 0) & (column // canvas == hole) & (column % canvas < lengths[document, hole])
        return torch.where(query < entries, key <= query, (key < seen_before[document, hole]) | is_own)

    def sees_after(document: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        hole = (query - entries).clamp(min=0) // canvas
        return torch.where(query < entries, key <= query, key < seen_after[document, hole])

    def sees_snippets(document: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        is_own = (query // room == key // room) & (key <= query)
        is_there = key % room < snippet_lengths[document, key // room]
        return torch.where(query < count * room, is_own, is_there)

    return (
        create_block_mask(sees_before, documents, None, entries + cells, entries + cells, device),
        create_block_mask(sees_after, documents, None, entries + cells, entries, device),
        create_block_mask(sees_snippets, documents, None, count * room + cells, count * room, device)
        if count
        else None,
    )


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask) -> tuple[Tensor, Tensor]:
    """Return the mixed values and the logarithms of the softmax's sums."""
    attend: Any = _compiled() if query.is_cuda else flex_attention
    mixed, more = attend(query, key, value, block_mask=mask, return_aux=AuxRequest(lse=True))
    return mixed, more.lse


@cache
def _compiled() -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(flex_attention, dynamic=False)
    return compiled
