"""What the diffusion loss sees of a hole: a canvas with masks and wrong tokens, and what should stand there.

Behind the hole's own tokens the canvas goes on with *delete*. The first one ends the hole and weighs as much as any
token; the others say the same again and weigh little, or they would drown everything else.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from dllm_lsp.models.checkpoints.tokenizer import Tokenizer

IGNORED = -100
"""The target where nothing is to be learned (what torch's cross-entropy leaves out)."""


class NoiseConfig(Struct, frozen=True, kw_only=True):
    """Shares of canvases and tokens; see `noised`."""

    all_masked: float = 0.35
    prefix_revealed: float = 0.3
    full_canvas: float = 0.5
    replaced: float = 0.1
    merged: float = 0.1
    later_delete_weight: float = 0.2


class NoisedCanvas(NamedTuple):
    """Ids, targets (IGNORED where none) and loss weights, each as long as the canvas."""

    ids: list[int]
    targets: list[int]
    weights: list[float]


def noised(
    tokens: Sequence[int], size: int, others: Sequence[int], config: NoiseConfig, rng: random.Random
) -> NoisedCanvas:
    """Lay a hole's `tokens` on a canvas of at most `size` and hide some of them.

    A share of canvases is masked throughout, as decoding starts; in another the first few tokens are revealed; in
    the rest each token is masked at a rate drawn uniformly (Sahoo et al. 2024, arXiv:2406.07524, without the 1/t
    weight). A share of the revealed tokens is replaced by one of `others`, to be recognized as wrong. In a share of the
    canvases that are not of full size some masks stand for two tokens, to be told apart by *expand* (DreamOn: Wu et
    al. 2025).
    """
    assert len(tokens) <= size
    length = size if rng.random() < config.full_canvas else rng.randint(max(len(tokens), 1), size)
    deletes = length - len(tokens)
    hidden = _hidden(len(tokens), config, rng)
    merged = _merged(hidden, rng) if length < size and rng.random() < config.merged else set()
    canvas = NoisedCanvas([], [], [])
    for i, (token, masked) in enumerate(zip(tokens, hidden, strict=True)):
        if i in merged:
            canvas.targets[-1] = Tokenizer.expand
            continue
        wrong = not masked and rng.random() < config.replaced
        canvas.ids.append(Tokenizer.mask if masked else rng.choice(others) if wrong else token)
        canvas.targets.append(token if masked or wrong else IGNORED)
        canvas.weights.append(1.0 if masked or wrong else 0.0)
    canvas.ids.extend([Tokenizer.mask] * deletes)
    canvas.targets.extend([Tokenizer.delete] * deletes)
    canvas.weights.extend([1.0, *[config.later_delete_weight] * (deletes - 1)] if deletes else [])
    return canvas


def _hidden(length: int, config: NoiseConfig, rng: random.Random) -> list[bool]:
    draw = rng.random()
    if draw < config.all_masked:
        return [True] * length
    if draw < config.all_masked + config.prefix_revealed:
        revealed = rng.randint(0, length)
        return [i >= revealed for i in range(length)]
    rate = rng.random()
    return [rng.random() < rate for _ in range(length)]


def _merged(hidden: Sequence[bool], rng: random.Random) -> set[int]:
    """Return which hidden tokens share the mask of the one before."""
    merged: set[int] = set()
    for i in range(1, len(hidden)):
        if hidden[i - 1] and hidden[i] and i - 1 not in merged and rng.random() < 0.5:
            merged.add(i)
    return merged
