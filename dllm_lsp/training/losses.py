"""One pass over a training batch: both streams and all canvases of every document, in every layer at once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dllm_lsp.models.copying import Sources
from dllm_lsp.models.streams import AFTER, BEFORE, CANVAS, StreamsModel
from dllm_lsp.training.batches import Batch
from dllm_lsp.training.flex import FlexTrainingAttention
from dllm_lsp.training.head import weighted_likelihood


class Losses(NamedTuple):
    """Mean cross-entropies in nats, each a scalar."""

    next: Tensor
    previous: Tensor
    canvas: Tensor


def losses(model: StreamsModel, batch: Batch) -> Losses:
    """Next-token loss on *before*, previous-token loss on *after*, diffusion loss on the canvases."""
    hidden = hidden_states(model, batch)
    following = (
        torch.arange(batch.before.shape[1] - 1, device=batch.before.device) < batch.lengths[:, None] - 1
    )
    sources = model.sources_within(hidden.before[:, :-1], batch.before[:, 1:])
    return Losses(
        _loss(model, hidden.before[:, :-1], batch.before[:, 1:], following.float(), sources),
        _loss(model, hidden.after[:, :-1], batch.after[:, 1:], following.float()),
        _loss(
            model,
            hidden.canvases,
            batch.targets.flatten(1),
            batch.weights.flatten(1),
            canvas_sources(model, hidden, batch),
        ),
    )


class Hidden(NamedTuple):
    """Hidden states: before and after [B, N, width], canvases [B, H * C, width]."""

    before: Tensor
    after: Tensor
    canvases: Tensor


def hidden_states(model: StreamsModel, batch: Batch) -> Hidden:
    """One pass over both streams and all canvases of every document."""
    entries, nothing = batch.before.shape[1], torch.zeros_like(batch.before[:, :1])
    left = batch.before.gather(1, (batch.visible[..., 0] - 1).clamp(min=0))
    x = torch.cat(
        [
            model.embed(batch.before, nothing, BEFORE),
            model.embed(batch.after, nothing, AFTER),
            model.embed(batch.canvas, left[..., None], CANVAS).flatten(1, 2),
        ],
        dim=1,
    )
    attention = FlexTrainingAttention if x.is_cuda else TrainingAttention
    hidden: Tensor = model.transformer(x, attention(model, batch))
    return Hidden(*hidden.split([entries, entries, x.shape[1] - 2 * entries], dim=1))


def canvas_sources(model: StreamsModel, hidden: Hidden, batch: Batch) -> Sources:
    """What the canvases may copy: what each of them sees of both streams, and of what something stands left."""
    keys = torch.cat([model.copies.key(hidden.before[:, :-1]), model.copies.key(hidden.after[:, 2:])], dim=1)
    ids = torch.cat([batch.before[:, 1:], batch.after[:, 1:-1]], dim=1)
    entries = batch.before.shape[1]
    entry = torch.arange(entries - 1, device=ids.device)
    distance = torch.cat(
        [batch.visible[..., :1] - 1 - entry, batch.visible[..., 1:] - 2 - entry[:-1]], dim=-1
    )
    before = torch.arange(ids.shape[1], device=ids.device) < entries - 1
    return Sources(
        keys, ids, distance.repeat_interleave(batch.canvas.shape[-1], dim=1), before.expand(len(ids), -1)
    )


def _loss(
    model: StreamsModel, hidden: Tensor, targets: Tensor, weights: Tensor, sources: Sources | None = None
) -> Tensor:
    """Return the weighted mean of the negative log-likelihoods of targets [B, N]; 0 without any weight.

    `hidden` is [B, N, width].
    """
    others, kept = torch.full_like(weights, float("-inf")), torch.zeros_like(weights)
    if sources is not None:
        copied, kept = model.copies.log_likelihoods(hidden, targets, sources)
        others = copied - kept  # so that logaddexp(own + kept, copied) is logaddexp(own, others) + kept
    learned = weights.flatten().nonzero().squeeze(-1)
    likelihood = weighted_likelihood(
        hidden.flatten(0, 1)[learned],
        model.transformer.embedding.weight,
        targets.flatten()[learned],
        weights.flatten()[learned],
        others.flatten()[learned],
    )
    return -(likelihood + (weights * kept).sum()) / weights.sum().clamp(min=1.0)


class TrainingAttention:
    """Who attends to whom in a batch laid out as [before | after | canvases].

    The streams attend causally to themselves. Canvas queries are turned twice, once into the count of each stream,
    as `models.streams` numbers them, and the scores of both streams and of the hole's own canvas share one softmax.
    """

    def __init__(self, model: StreamsModel, batch: Batch) -> None:
        device = batch.before.device
        self.entries = batch.before.shape[1]
        self.holes, self.canvas = batch.canvas.shape[1:]
        rotation = model.transformer.rotation
        count = torch.arange(self.entries, device=device)
        self.turn_streams = rotation(torch.stack([count, -count]))  # [2, N]
        cell = torch.arange(self.canvas, device=device)
        seen_before, seen_after = batch.visible[..., :1], batch.visible[..., 1:]
        to_before = (seen_before + cell).flatten(1)
        to_after = (cell - model.config.reach - (seen_after - 1)).flatten(1)
        self.turn_to_before = rotation(to_before[:, None])  # [B, 1, H * C]
        self.turn_to_after = rotation(to_after[:, None])
        visible = torch.cat(
            [
                (count < seen_before)[:, :, None].expand(-1, -1, self.canvas, -1),
                (count < seen_after)[:, :, None].expand(-1, -1, self.canvas, -1),
                (cell < batch.canvas_lengths[..., None])[:, :, None].expand(-1, -1, self.canvas, -1),
            ],
            dim=-1,
        )  # [B, H, C, 2N + C]
        # Where there is no hole: anything, so that the softmax is finite.
        self.hidden = ~(visible | (batch.canvas_lengths == 0)[..., None, None])

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend in one layer; see `models.transformer.Attend`."""
        sizes = [2 * self.entries, self.holes * self.canvas]
        query, canvas_query = query.split(sizes, dim=2)
        key, canvas_key = key.split(sizes, dim=2)
        value, canvas_value = value.split(sizes, dim=2)
        turned = self.turn_streams(self._two(key))  # [B, heads, 2, N, D]
        streams = F.scaled_dot_product_attention(
            self.turn_streams(self._two(query)).transpose(1, 2).flatten(0, 1),
            turned.transpose(1, 2).flatten(0, 1),
            self._two(value).transpose(1, 2).flatten(0, 1),
            is_causal=True,
        )
        streams = streams.unflatten(0, (-1, 2)).transpose(1, 2).flatten(2, 3)
        canvases = self._canvases(canvas_query, turned, self._two(value), canvas_key, canvas_value)
        return torch.cat([streams, canvases], dim=2)

    def _canvases(
        self, query: Tensor, keys: Tensor, values: Tensor, canvas_key: Tensor, canvas_value: Tensor
    ) -> Tensor:
        """Attend from the canvases [B, heads, H * C, D] to the streams [B, heads, 2, N, D] and to themselves."""
        query = query * query.shape[-1] ** -0.5
        in_before, in_after = self.turn_to_before(query), self.turn_to_after(query)
        own_key, own_value = self._holes(self.turn_to_before(canvas_key)), self._holes(canvas_value)
        scores = torch.cat(
            [
                self._holes(in_before @ keys[:, :, 0].transpose(-1, -2)),
                self._holes(in_after @ keys[:, :, 1].transpose(-1, -2)),
                self._holes(in_before) @ own_key.transpose(-1, -2),
            ],
            dim=-1,
        )
        # Unseen by autograd, which need not know: where the softmax is 0, so is its gradient.
        scores.detach().masked_fill_(self.hidden[:, None], float("-inf"))
        shares = scores.softmax(-1).to(values.dtype).split([self.entries, self.entries, self.canvas], dim=-1)
        context = shares[0].flatten(2, 3) @ values[:, :, 0] + shares[1].flatten(2, 3) @ values[:, :, 1]
        mixed: Tensor = context + (shares[2] @ own_value).flatten(2, 3)
        return mixed

    def _two(self, x: Tensor) -> Tensor:
        """[B, heads, 2N, D] to [B, heads, 2, N, D]."""
        return x.view(*x.shape[:2], 2, self.entries, -1)

    def _holes(self, x: Tensor) -> Tensor:
        """[B, heads, H * C, ...] to [B, heads, H, C, ...]."""
        return x.view(*x.shape[:2], self.holes, self.canvas, -1)
