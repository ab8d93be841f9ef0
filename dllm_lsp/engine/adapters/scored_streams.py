"""How much a text's tokens surprise the bundled architecture, whose streams score every token that they read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.encoded import AFTER, BEFORE
from dllm_lsp.models.streams.model import StreamsModel


def token_surprises(
    network: StreamsModel, tokenizer: Tokenizer, ids: Sequence[int], language: str
) -> list[float]:
    """Return how surprising each of `ids` is, in nats.

    That is the mean of its negative log-probabilities given the code to its left, and given that to its right.
    """
    begin = tokenizer.begin(language)
    from_left = _nats(network, BEFORE, begin, ids, network.config.before)
    from_right = _nats(network, AFTER, begin, ids[::-1], network.config.after)[::-1]
    return [(left + right) / 2 for left, right in zip(from_left, from_right, strict=True)]


def _nats(network: StreamsModel, role: int, begin: int, ids: Sequence[int], reach: int) -> list[float]:
    """Return the negative log-probability of each of `ids`, in the stream's own order.

    A text longer than `reach` is read in windows, each of which begins with half of the one before.
    """
    found: list[float] = []
    while len(found) < len(ids):
        start = max(0, len(found) - reach // 2)
        window = torch.tensor(ids[start : start + reach], device=network.device)
        seen = torch.cat([window.new_tensor([begin]), window[:-1]])
        nats = -_following(network, role, seen).gather(-1, window[:, None])[:, 0]
        found += nats[len(found) - start :].tolist()
    return found


def _following(network: StreamsModel, role: int, ids: Tensor) -> Tensor:
    """Return the log-probabilities [n, vocabulary] of what follows each of ids [n] in a stream of its own."""
    stream = network.stream(len(ids))
    if role == BEFORE:
        network.encode(ids[:1], role, stream)
        return network.read_on(stream, ids)
    hidden = network.encode(ids, role, stream)
    return network.transformer.logits(hidden).float().log_softmax(-1)
