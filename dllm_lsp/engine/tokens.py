"""A hole in tokens: what of the code around it a model is given. Knows texts and ids, no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dllm_lsp.infill.hole import Hole
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer


class Tokens(NamedTuple):
    """The code on both sides of a hole, in reading order, and snippets, the best first.

    `stem` is the end of the code before the hole. It is left out of `before`: the canvas writes it anew.
    """

    before: list[int]
    after: list[int]
    snippets: Sequence[list[int]]
    stem: str


class Window(NamedTuple):
    """How much a model reads: tokens on either side of a hole, and snippets."""

    before: int
    after: int
    snippets: int

    def read(self, hole: Hole, tokenizer: TextTokenizer) -> Tokens:
        """Return the tokens of a hole that are near enough."""
        before, stem = tokenizer.healed(hole.before)
        return Tokens(
            near_end(before, self.before),
            near_end(tokenizer.encode(hole.after)[::-1], self.after)[::-1],
            [tokenizer.encode(text) for text in hole.snippets[: self.snippets]],
            stem,
        )


def near_end(ids: list[int], limit: int) -> list[int]:
    """Drop ids in front, half of the limit at a time, until at most `limit` are left. So the cut rarely moves."""
    excess = len(ids) - limit
    if excess <= 0:
        return ids
    quantum = max(1, limit // 2)
    return ids[-(-excess // quantum) * quantum :]


def shared_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many tokens both begin with."""
    length = min(len(a), len(b))
    return next((i for i in range(length) if a[i] != b[i]), length)
