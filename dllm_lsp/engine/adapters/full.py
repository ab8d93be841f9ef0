"""Checkpoints with full attention behind the engine's protocols: a context that is encoded once and reused.

In these networks the context sees the canvas, so what is kept of it grows stale while the canvas fills. The first pass
covers everything and keeps the context's keys and values; later passes cover the canvas alone; now and then
everything is encoded again (after Fast-dLLM: Wu et al. 2025, arXiv:2505.22618).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dllm_lsp.engine.model import CanvasTokens
from dllm_lsp.models.checkpoints.full import Bidirectional
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.network.room import Rooms

CONTEXT = 2048
"""Tokens of context at most, whatever the model could take: the first pass of every request encodes all of it."""

GPU_STEP = 16
"""On a GPU, canvases are padded to a multiple of so many tokens."""

CANVAS = 128
"""Tokens of a canvas at most."""

FIT = 8
"""Tokens of the code after a canvas that tell how well it fits."""


class Refresh(NamedTuple):
    """When everything is encoded again: at every so many passes, and when a canvas changed its length by more."""

    every: int = 6
    change: int = 4


REFRESH = Refresh()


class Sides(NamedTuple):
    """The tokens before and after a canvas."""

    before: list[int]
    after: list[int]


class BidirectionalContext:
    """The tokens around a document's hole. Keys are not kept from hole to hole: they depend on what was in it."""

    def __init__(self, begin: int | None, end: int | None) -> None:
        self._begin = [] if begin is None else [begin]
        self._end = [] if end is None else [end]
        self.sides = Sides(self._begin, self._end)

    @property
    def bytes(self) -> int:
        """The memory that the tokens take."""
        return 8 * sum(map(len, self.sides))

    def become(self, before: list[int], after: list[int]) -> int:
        """Hold the code on both sides of a hole, in reading order; return how many tokens the first pass encodes."""
        self.sides = Sides([*self._begin, *before], [*after, *self._end])
        return sum(map(len, self.sides))

    def relate(self, snippets: Sequence[list[int]], has_time: Callable[[], bool]) -> int:
        """Leave snippets out, which these models were not trained to read."""
        return 0


class BidirectionalDenoiser:
    """A pass over canvases between fixed contexts.

    A row lies in memory as [before | after | canvas], with explicit positions, so that the canvas is its tail and every
    pass writes over the last one's. Where logits are shifted, that tail begins with the last token before the
    canvas, whose logits are those of the first mask.
    """

    def __init__(
        self,
        model: Bidirectional,
        rooms: Rooms,
        sides: Sequence[Sides],
        canvas: int,
        refresh: Refresh,
    ) -> None:
        self._transformer, self._refresh, self._canvas = model.transformer, refresh, canvas
        device = model.transformer.norm.weight.device
        self._shift = int(model.family.shifted)
        leads = [min(self._shift, len(before)) for before, _ in sides]
        rows = [_in_memory(side, lead) for side, lead in zip(sides, leads, strict=True)]
        self._longest = max(map(len, rows))
        self._step = _step(device)
        capacity = self._longest + self._rounded(canvas + 1)
        self._room = rooms.lend(self, len(rows), capacity)
        self._ids = torch.tensor([row + [0] * (capacity - len(row)) for row in rows], device=device)
        self._lead = torch.tensor(leads, device=device)[:, None]
        self._tail = torch.tensor([len(row) for row in rows], device=device)[:, None] - self._lead
        self._after = torch.tensor([len(after) for _, after in sides], device=device)[:, None]
        self._lengths = torch.zeros_like(self._tail[:, 0])
        self._encoded, self._latest, self._age = list[int](), list[int](), 0

    def __call__(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits [rows, canvas, vocabulary] of canvases [rows, canvas]; see `model.Denoiser`.

        On a GPU the next call overwrites them.
        """
        assert ids.shape[1] <= self._canvas, "a canvas larger than the denoiser was made for"
        cells = self._tail + self._lead + torch.arange(ids.shape[1], device=ids.device)
        self._ids.scatter_(1, cells, ids)
        # The same tensor holds the same lengths; to read them would wait for the device.
        now = self._latest if lengths is self._lengths else lengths.tolist()
        if self._is_stale(now):
            run: Callable[..., Tensor] = self._room.run
            columns = torch.arange(self._longest + ids.shape[1], device=ids.device).expand(len(ids), -1)
        else:
            run = self._room.captured
            columns = self._tail + torch.arange(self._rounded(self._shift + ids.shape[1]), device=ids.device)
            if now != self._latest:
                self._move_after((lengths - self._lengths)[:, None])
        self._lengths, self._latest = lengths, now
        seen = (self._tail + self._lead)[:, 0] + lengths
        wanted = torch.maximum(cells - self._shift, self._tail) - columns[:, :1]
        wanted = F.pad(wanted, (0, self._rounded(ids.shape[1]) - ids.shape[1]))
        logits = run(self._ids.gather(1, columns), self._positions(columns), columns, seen, wanted)
        return logits[:, : ids.shape[1]]

    def _rounded(self, length: int) -> int:
        """Return the length that a pass really has: a multiple of a few, so that few have to be captured."""
        return -(-length // self._step) * self._step

    def _is_stale(self, lengths: list[int]) -> bool:
        """Whether to encode everything in this pass; counts it."""
        changes = [abs(now - then) for now, then in zip(lengths, self._encoded, strict=False)]
        stale = not changes or self._age >= self._refresh.every or max(changes) > self._refresh.change
        if stale:
            self._age, self._encoded = 0, lengths
        self._age += 1
        return stale

    def _positions(self, columns: Tensor) -> Tensor:
        """Return the positions in the text of what lies in columns [rows, n]."""
        behind = torch.where(
            columns < self._tail, columns + self._lead + self._lengths[:, None], columns - self._after
        )
        return columns.where(columns < self._tail - self._after, behind)

    def _move_after(self, by: Tensor) -> None:
        """Turn the keys of the code after the canvas to positions that are `by` [rows, 1] further on."""
        store = self._room.store
        columns = torch.arange(store.shape[4], device=by.device)
        is_after = (columns >= self._tail - self._after) & (columns < self._tail)
        turn = self._transformer.rotation((by * is_after)[:, None])
        store[0] = turn(store[0])


class BidirectionalInfilling:
    """A network with full attention as the engine sees it; see `model.Model`."""

    is_small = False

    def __init__(self, model: Bidirectional, tokenizer: TextTokenizer, refresh: Refresh = REFRESH) -> None:
        self._model, self._refresh = model, refresh
        self._rooms = Rooms(model.transformer)
        family = model.family
        silent = tokenizer.silent(family.transformer.vocabulary)
        self.tokens = CanvasTokens(
            mask=family.mask,
            delete=family.delete,
            expand=family.expand,
            forbidden=tuple(i for i in silent if i not in (family.delete, family.expand)),
        )
        self.canvas = min(CANVAS, family.positions // 4)
        context = min(CONTEXT, family.positions - self.canvas) - 2  # the tokens around the whole text
        self.before = context * 2 // 3
        self.after = context - self.before
        self.snippets = 0

    def context(self, language: str) -> BidirectionalContext:
        """Return the empty context of a document; these models are not told its language."""
        return BidirectionalContext(self._model.family.begin, self._model.family.end)

    def denoiser(self, contexts: Sequence[BidirectionalContext], canvas: int) -> BidirectionalDenoiser:
        """Return a denoiser for one row per context, of up to `canvas` positions."""
        return BidirectionalDenoiser(
            self._model,
            self._rooms,
            [context.sides for context in contexts],
            canvas,
            self._refresh,
        )

    def fit(self, contexts: Sequence[BidirectionalContext], ids: Tensor, lengths: Tensor) -> Tensor:
        """Return how likely the first FIT tokens after each canvas are when they are masked too; see `model.Model`.

        It is 0 where nothing comes after.
        """
        targets = [context.sides.after[:FIT] for context in contexts]
        sides = [Sides(before, after[FIT:]) for before, after in (context.sides for context in contexts)]
        counts = torch.tensor([len(target) for target in targets], device=ids.device)
        inside = torch.arange(ids.shape[1] + FIT, device=ids.device) < lengths[:, None]
        canvas = F.pad(ids, (0, FIT)).where(inside, self.tokens.mask)
        denoiser = BidirectionalDenoiser(self._model, self._rooms, sides, canvas.shape[1], self._refresh)
        probe = torch.arange(FIT, device=ids.device)
        logits = denoiser(canvas, lengths + counts).take_along_dim(
            (lengths[:, None] + probe)[..., None], dim=1
        )
        wanted = torch.tensor([target + [0] * (FIT - len(target)) for target in targets], device=ids.device)
        likelihood = logits.float().log_softmax(-1).gather(-1, wanted[..., None])[..., 0]
        return (likelihood * (probe < counts[:, None])).sum(-1) / counts.clamp_min(1)


def _step(device: torch.device) -> int:
    """Return what a canvas's length is padded to a multiple of."""
    return GPU_STEP if device.type == "cuda" else 1


def _in_memory(sides: Sides, lead: int) -> list[int]:
    """Return the tokens in the order in which they lie in memory, the last `lead` before the canvas at the end."""
    cut = len(sides.before) - lead
    return sides.before[:cut] + sides.after + sides.before[cut:]
