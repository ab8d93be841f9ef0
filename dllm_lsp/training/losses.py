"""One pass over a training batch: the streams and all canvases of every document, in every layer at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dllm_lsp.models.streams.copying import Sources
from dllm_lsp.models.streams.encoded import AFTER, BEFORE, CANVAS
from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.batches import Batch, sizes
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
    """Hidden states: before and after [B, N, width], snippets [B, S, T, width], canvases [B, H * C, width]."""

    before: Tensor
    after: Tensor
    snippets: Tensor
    canvases: Tensor


def hidden_states(model: StreamsModel, batch: Batch) -> Hidden:
    """One pass over every document, laid out as [before | after | snippets | canvases]."""
    nothing = torch.zeros_like(batch.before[:, :1])
    left = batch.before.gather(1, (batch.visible[..., 0] - 1).clamp(min=0))
    x = torch.cat(
        [
            model.embed(batch.before, nothing, BEFORE),
            model.embed(batch.after, nothing, AFTER),
            model.embed(batch.snippets, torch.zeros_like(batch.snippets[..., :1]), BEFORE).flatten(1, 2),
            model.embed(batch.canvas, left[..., None], CANVAS).flatten(1, 2),
        ],
        dim=1,
    )
    attention = FlexTrainingAttention if x.is_cuda else TrainingAttention
    hidden: Tensor = model.transformer(x, attention(model, batch))
    before, after, snippets, canvases = hidden.split(sizes(batch), dim=1)
    return Hidden(before, after, snippets.unflatten(1, batch.snippets.shape[1:]), canvases)


def canvas_sources(model: StreamsModel, hidden: Hidden, batch: Batch) -> Sources:
    """What the canvases may copy: what each of them sees of the streams, and of what something stands left."""
    states = [hidden.before[:, :-1], hidden.after[:, 2:], hidden.snippets[:, :, :-1].flatten(1, 2)]
    ids = [batch.before[:, 1:], batch.after[:, 1:-1], batch.snippets[:, :, 1:].flatten(1, 2)]
    entry = torch.arange(batch.before.shape[1] - 1, device=batch.before.device)
    place = torch.arange(batch.snippets.shape[2] - 1, device=entry.device)
    known = (place < batch.snippet_lengths[..., None] - 1).flatten(1)
    distances = [
        batch.visible[..., :1] - 1 - entry,
        batch.visible[..., 1:] - 2 - entry[:-1],
        (known * model.config.before)[:, None].expand(-1, batch.visible.shape[1], -1),
    ]
    before = torch.cat(
        [torch.full_like(part[0], number != 1, dtype=torch.bool) for number, part in enumerate(ids)]
    )
    return Sources(
        model.copies.key(torch.cat(states, dim=1)),
        torch.cat(ids, dim=1),
        torch.cat(distances, dim=-1).repeat_interleave(batch.canvas.shape[-1], dim=1),
        before.expand(len(batch.before), -1),
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
    """Who attends to whom in a batch laid out as `hidden_states` does.

    The streams attend causally to themselves. Canvas queries are turned once for each kind of stream, into its count,
    as `models.streams` numbers them, and the scores of all streams and of the hole's own canvas share one softmax.
    """

    def __init__(self, model: StreamsModel, batch: Batch) -> None:
        device = batch.before.device
        self.sizes = sizes(batch)
        self.entries, self.snippets = batch.before.shape[1], batch.snippets.shape[1]
        self.holes, self.canvas = batch.canvas.shape[1:]
        rotation = model.transformer.rotation
        count = torch.arange(self.entries, device=device)
        place = torch.arange(batch.snippets.shape[2], device=device)
        cell = torch.arange(self.canvas, device=device)
        seen_before, seen_after = batch.visible[..., :1], batch.visible[..., 1:]
        to_before = (seen_before + cell).flatten(1)
        to_after = (cell - model.config.reach - (seen_after - 1)).flatten(1)
        to_snippets = (model.config.before + cell).repeat(self.holes)
        self.turn_before, self.turn_after = rotation(count), rotation(-count)
        self.turn_snippets = rotation(place.repeat(self.snippets))
        self.turn_to_before = rotation(to_before[:, None])  # [B, 1, H * C]
        self.turn_to_after = rotation(to_after[:, None])
        self.turn_to_snippets = rotation(to_snippets)
        visible = torch.cat(
            [
                count < seen_before,
                count < seen_after,
                (place < batch.snippet_lengths[..., None]).flatten(1)[:, None].expand(-1, self.holes, -1),
                cell < batch.canvas_lengths[..., None],
            ],
            dim=-1,
        )  # [B, H, 2N + S * T + C]
        # Where there is no hole: anything, so that the softmax is finite.
        self.hidden = ~(visible | (batch.canvas_lengths == 0)[..., None])[:, :, None]

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend in one layer; see `models.transformer.Attend`."""
        queries, keys, values = (x.split(self.sizes, dim=2) for x in (query, key, value))
        turns = (self.turn_before, self.turn_after, self.turn_snippets)
        turned = [turn(x) for turn, x in zip(turns, keys[:3], strict=True)]
        before = causal_attention(turns[0](queries[0]), turned[0], values[0])
        after = causal_attention(turns[1](queries[1]), turned[1], values[1])
        snippets = self._within_snippets(turns[2](queries[2]), turned[2], values[2])
        canvases = self._canvases(queries[3], turned, keys[3], values)
        return torch.cat([before, after, snippets, canvases], dim=2)

    def _within_snippets(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend in every snippet by itself; each argument is [B, heads, S * T, D]."""
        if not self.snippets:
            return query
        heads = query.shape[1]
        apart = [x.unflatten(2, (self.snippets, -1)).flatten(1, 2) for x in (query, key, value)]
        mixed: Tensor = causal_attention(*apart).unflatten(1, (heads, -1)).flatten(2, 3)
        return mixed

    def _canvases(
        self, query: Tensor, keys: Sequence[Tensor], canvas_key: Tensor, values: Sequence[Tensor]
    ) -> Tensor:
        """Attend from the canvases [B, heads, H * C, D] to each kind of stream [B, heads, n, D] and to themselves."""
        query = query * query.shape[-1] ** -0.5
        turned = [self.turn_to_before(query), self.turn_to_after(query), self.turn_to_snippets(query)]
        own_key, own_value = self._holes(self.turn_to_before(canvas_key)), self._holes(values[3])
        scores = torch.cat(
            [
                *(self._holes(q @ k.transpose(-1, -2)) for q, k in zip(turned, keys, strict=True)),
                self._holes(turned[0]) @ own_key.transpose(-1, -2),
            ],
            dim=-1,
        )
        # Unseen by autograd, which need not know: where the softmax is 0, so is its gradient.
        scores.detach().masked_fill_(self.hidden[:, None], float("-inf"))
        *shares, own_share = scores.softmax(-1).to(query.dtype).split([*self.sizes[:3], self.canvas], dim=-1)
        mixed: Tensor = (own_share @ own_value).flatten(2, 3)
        for share, value in zip(shares, values, strict=False):
            mixed = mixed + share.flatten(2, 3) @ value
        return mixed

    def _holes(self, x: Tensor) -> Tensor:
        """[B, heads, H * C, ...] to [B, heads, H, C, ...]."""
        return x.view(*x.shape[:2], self.holes, self.canvas, -1)


def causal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend from every token [..., n, D] to itself and to those before it."""
    mixed: Tensor = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    return mixed
