"""What is encoded around a hole: streams of tokens, each in a role, with their keys and values and what is copied.

Knows no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dllm_lsp.models.network.keyvalues import KeyValues
from dllm_lsp.models.streams.copying import COPY_WIDTH

BEFORE, AFTER, CANVAS = 0, 1, 2
"""Roles, each with a learned embedding."""


class Stream:
    """One encoded side of a hole, in its own order: keys and values, ids [capacity] and what they are copied by.

    `copy_keys` are [capacity, COPY_WIDTH]. The first `length` entries of each are valid.
    """

    def __init__(self, cache: KeyValues) -> None:
        store = cache.keys
        self.cache = cache
        self.ids = torch.zeros(cache.capacity, dtype=torch.long, device=store.device)
        self.copy_keys = torch.zeros(cache.capacity, COPY_WIDTH, dtype=store.dtype, device=store.device)

    @property
    def length(self) -> int:
        """How many tokens are encoded."""
        return self.cache.length

    @property
    def bytes(self) -> int:
        """The memory it takes."""
        return self.cache.bytes + self.ids.nbytes + self.copy_keys.nbytes

    def copyable(self, role: int, distance: int = 0) -> Copyable:
        """Return the tokens of the stream that can be copied: text that has a token of the stream to its left.

        So the begin token is left out, and of code after a hole also the token nearest to it, since what stands left
        of that is not known yet. All are `distance` tokens away; with 0, as far as they stand from the near end.
        """
        ids = self.ids[: self.length]
        if role == BEFORE:
            keys, ids = self.copy_keys[: self.length - 1], ids[1:]
        else:
            keys, ids = self.copy_keys[2 : self.length], ids[1:-1]
        away = (
            torch.full_like(ids, distance) if distance else torch.arange(len(ids), 0, -1, device=ids.device)
        )
        return Copyable(keys, ids, away, torch.full_like(ids, role == BEFORE, dtype=torch.bool))

    def last(self, count: int = 1) -> Tensor:
        """Return the id [1] of the last token, or of the one that is `count` from the end; 0 if there is none."""
        at = self.length - count
        return self.ids[at : at + 1] if at >= 0 else self.ids.new_zeros(1)


class Copyable(NamedTuple):
    """What can be copied of a stream, nearest last: keys [n, COPY_WIDTH], the others [n]; see `Sources`."""

    keys: Tensor
    ids: Tensor
    distance: Tensor
    before: Tensor


class Streams(NamedTuple):
    """Both encoded sides of a hole, and the snippets that go with it."""

    before: Stream
    after: Stream
    snippets: Sequence[Stream] = ()

    @property
    def length(self) -> int:
        """How many tokens all of them have."""
        return sum(stream.length for stream in (*self.snippets, self.before, self.after))
