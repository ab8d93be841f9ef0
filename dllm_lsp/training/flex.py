"""The attention of a training batch in blocks, for a GPU: what no query sees is never computed.

Gives what `losses.TrainingAttention` gives, by FlexAttention (Dong et al. 2024, arXiv:2412.05496). A canvas query is
turned once for each stream, so there are two passes, one over *before* and the canvases and one over *after*; they are
merged by the logarithms of their sums, which is one softmax over both.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import AuxRequest, BlockMask, create_block_mask, flex_attention

from dllm_lsp.models.streams import StreamsModel
from dllm_lsp.training.batches import Batch


class FlexTrainingAttention:
    """Who attends to whom in a batch laid out as [before | after | canvases]."""

    def __init__(self, model: StreamsModel, batch: Batch) -> None:
        documents, entries = batch.before.shape
        device = batch.before.device
        self.entries = entries
        count = torch.arange(entries, device=device).expand(documents, -1)
        cell = torch.arange(batch.canvas.shape[2], device=device)
        before, after = batch.visible[..., :1], batch.visible[..., 1:]
        to_before = (before + cell).flatten(1)
        to_after = (cell - model.config.reach - (after - 1)).flatten(1)
        rotation = model.transformer.rotation
        self.turn_to_before = rotation(torch.cat([count, to_before], dim=1)[:, None])
        self.turn_to_after = rotation(torch.cat([-count, to_after], dim=1)[:, None])
        self.turn_after = rotation(-count[:, None])
        self.sees_before, self.sees_after = _masks(batch)

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend in one layer; see `models.transformer.Attend`."""
        n = self.entries
        query, key = query.to(value.dtype), key.to(value.dtype)  # autocast norms in float32
        without_after = [torch.cat([x[:, :, :n], x[:, :, 2 * n :]], dim=2) for x in (query, key, value)]
        in_before, before_sums = _attend(
            self.turn_to_before(without_after[0]),
            self.turn_to_before(without_after[1]),
            without_after[2],
            self.sees_before,
        )
        in_after, after_sums = _attend(
            self.turn_to_after(query[:, :, n:]),
            self.turn_after(key[:, :, n : 2 * n]),
            value[:, :, n : 2 * n],
            self.sees_after,
        )
        share = torch.sigmoid(before_sums[:, :, n:] - after_sums[:, :, n:])[..., None].to(value.dtype)
        canvases = share * in_before[:, :, n:] + (1 - share) * in_after[:, :, n:]
        return torch.cat([in_before[:, :, :n], in_after[:, :, :n], canvases], dim=2)


def _masks(batch: Batch) -> tuple[BlockMask, BlockMask]:
    """Return what [before | canvases] see of themselves, and what [after | canvases] see of *after*.

    Where there is no hole, the canvas sees both begin tokens, so that its softmax is finite.
    """
    documents, entries = batch.before.shape
    holes, canvas = batch.canvas.shape[1:]
    length = entries + holes * canvas
    seen_before, seen_after = batch.visible.clamp(min=1).unbind(-1)
    sizes, device = batch.canvas_lengths, str(batch.before.device)

    def sees_before(document: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        hole = (query - entries).clamp(min=0) // canvas
        column = key - entries
        is_own = (column >= 0) & (column // canvas == hole) & (column % canvas < sizes[document, hole])
        return torch.where(query < entries, key <= query, (key < seen_before[document, hole]) | is_own)

    def sees_after(document: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        hole = (query - entries).clamp(min=0) // canvas
        return torch.where(query < entries, key <= query, key < seen_after[document, hole])

    return (
        create_block_mask(sees_before, documents, None, length, length, device),
        create_block_mask(sees_after, documents, None, length, entries, device),
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
