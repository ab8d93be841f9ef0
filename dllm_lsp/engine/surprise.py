"""How much the code that is there surprises the model: cheap where context streams score every token that they read."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import torch
from torch import Tensor

from dllm_lsp.models.checkpoints.checkpoint import Checkpoint
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.encoded import AFTER, BEFORE
from dllm_lsp.models.streams.model import StreamsModel


@torch.inference_mode()
def line_surprises(checkpoint: Checkpoint, text: str, language: str) -> list[float]:
    """Return how surprising each line of `text` is, in nats a token; blanks do not count, and a blank line is 0.

    A token's surprise is the mean of its negative log-probabilities given the code to its left, and given that to
    its right. Lines end with line feeds. Raises ValueError for a model that does not score what it reads.
    """
    network, tokenizer = checkpoint
    if not isinstance(network, StreamsModel) or not isinstance(tokenizer, Tokenizer):
        raise ValueError("this model cannot say what surprises it: only one with context streams can")
    ids, begin = tokenizer.encode(text), tokenizer.begin(language)
    from_left = _nats(network, BEFORE, begin, ids, network.config.before)
    from_right = _nats(network, AFTER, begin, ids[::-1], network.config.after)[::-1]
    lines: list[list[float]] = [[]]
    for piece, left, right in zip(tokenizer.pieces(ids), from_left, from_right, strict=True):
        if piece.strip():
            lines[-1].append((left + right) / 2)
        if piece.endswith("\n"):
            lines.append([])
    return [fmean(line) if line else 0.0 for line in lines]


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
