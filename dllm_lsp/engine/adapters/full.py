"""Checkpoints with full attention behind the engine's protocols: a context that is encoded once and reused.

In these networks the context sees the canvas, so what is kept of it grows stale while the canvas fills. The first pass
covers everything and keeps the context's keys and values; later passes cover the canvas alone; now and then
everything is encoded again (after Fast-dLLM: Wu et al. 2025, arXiv:2505.22618).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dllm_lsp.engine.model import CanvasTokens
from dllm_lsp.engine.tokens import Tokens, Window
from dllm_lsp.infill.hole import Hole
from dllm_lsp.models.checkpoints.families import Family
from dllm_lsp.models.checkpoints.full import Bidirectional
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.network.passes import Span, cached_pass
from dllm_lsp.models.network.pool import Pool, Room
from dllm_lsp.models.network.transformer import Rotation

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

    def become(self, before: list[int], after: list[int]) -> None:
        """Hold the code on both sides of a hole, in reading order."""
        self.sides = Sides([*self._begin, *before], [*after, *self._end])


class BidirectionalSurroundings:
    """One canvas's row in memory, [before | after | canvas], and how fresh what is kept of it is.

    Where a token stands in the text is told apart from where it lies in the row. So the canvas can lie last, and every
    pass writes over the last one's. In families with shifted logits, the logits of the first mask are those of the
    token before the canvas; that token, the `lead`, then lies directly before the canvas, behind *after*.
    """

    def __init__(
        self, room: Room, sides: Sides, family: Family, refresh: Refresh, device: torch.device
    ) -> None:
        self.room = room
        self._shift, self._refresh = int(family.shifted), refresh
        self._lead = min(self._shift, len(sides.before))
        self._after = len(sides.after)
        row = _in_memory(sides, self._lead)
        self._tail = len(row) - self._lead
        self._ids = torch.tensor(row, dtype=torch.long, device=device)
        self._length = self._encoded = self._age = 0

    def enter(self, canvas: Tensor, rotation: Callable[[Tensor], Rotation]) -> Entry:
        """Return what this row gives to a pass over its canvas [n]; call `made` when that pass was made.

        It gives lead and canvas alone, or, if what is kept of the context has grown stale, everything. `rotation` makes
        the network's rotations from positions.
        """
        if self._is_stale(len(canvas)):
            start, self._age, self._encoded = 0, 0, len(canvas)
        else:
            start = self._tail
            self._move_after(len(canvas) - self._length, rotation)
        self._length = len(canvas)
        end = len(self._ids) + len(canvas)
        columns = torch.arange(start, end, device=canvas.device)
        cells = columns[end - start - len(canvas) :]
        return Entry(
            ids=torch.cat([self._ids[start:], canvas]),
            positions=self._positions(columns),
            columns=columns,
            seen=torch.tensor([end], device=canvas.device),
            wanted=(cells - self._shift).clamp(min=self._tail) - start,
            whole=start == 0,
        )

    def _is_stale(self, length: int) -> bool:
        is_old = self._age % self._refresh.every == 0
        return is_old or abs(length - self._encoded) > self._refresh.change

    def made(self) -> None:
        """Take note that the pass was made. Without this call, the next pass covers at least what this one did."""
        self._age += 1

    def _positions(self, columns: Tensor) -> Tensor:
        """Return the positions in the text of what lies in columns [n]."""
        behind = torch.where(columns < self._tail, columns + self._lead + self._length, columns - self._after)
        return columns.where(columns < self._tail - self._after, behind)

    def _move_after(self, by: int, rotation: Callable[[Tensor], Rotation]) -> None:
        """Turn the keys of the code after the canvas to positions that are `by` further on."""
        if not by or not self._after:
            return
        turn = rotation(torch.tensor([by], device=self._ids.device))
        columns = slice(self._tail - self._after, self._tail)
        for keys, _ in self.room.store.layers:
            keys[:, :, columns] = turn(keys[:, :, columns])


class Entry(NamedTuple):
    """What one row gives to a pass: n tokens, their positions in the text and their columns in the row, each [n].

    `whole` says that the context is among them. `seen` and `wanted` are as in `Room.run`.
    """

    ids: Tensor
    positions: Tensor
    columns: Tensor
    seen: Tensor
    wanted: Tensor
    whole: bool

    def padded(self, step: int) -> Entry:
        """Return the entry padded to multiples of `step` tokens and logits, so that few shapes have to be captured.

        Padding lies behind the columns that are seen, so nothing attends to it.
        """
        extra = -len(self.ids) % step
        more = torch.arange(1, extra + 1, device=self.ids.device)
        return Entry(
            F.pad(self.ids, (0, extra)),
            torch.cat([self.positions, self.positions[-1:] + more]),
            torch.cat([self.columns, self.columns[-1:] + more]),
            self.seen,
            F.pad(self.wanted, (0, -len(self.wanted) % step)),
            self.whole,
        )


class BidirectionalInfilling:
    """A network with full attention as the engine sees it; see `model.Model`."""

    is_small = False
    leftward = adapted = None
    milliseconds = 400.0
    languages: tuple[str, ...] = ()

    def __init__(self, model: Bidirectional, tokenizer: TextTokenizer, refresh: Refresh = REFRESH) -> None:
        self._model, self._tokenizer, self._refresh = model, tokenizer, refresh
        self._pool = Pool(model.transformer)
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

    def read(self, hole: Hole) -> Tokens:
        """Return the tokens of a hole; see `model.Model`."""
        return Window(self.before, self.after, self.snippets).read(hole, self._tokenizer)

    def encode(self, context: BidirectionalContext, tokens: Tokens, has_time: Callable[[], bool]) -> int:
        """Take the tokens; return 0, since a canvas's first pass encodes them. These models read no snippets."""
        context.become(tokens.before, tokens.after)
        return 0

    def surroundings(
        self, context: BidirectionalContext, canvas: int
    ) -> AbstractContextManager[BidirectionalSurroundings]:
        """Lay out a row for a canvas of up to `canvas` tokens."""
        return self._around(context.sides, canvas)

    @contextmanager
    def _around(self, sides: Sides, canvas: int) -> Iterator[BidirectionalSurroundings]:
        family, device = self._model.family, self._model.transformer.norm.weight.device
        with self._pool.lend(sum(map(len, sides)) + canvas + GPU_STEP) as room:
            yield BidirectionalSurroundings(room, sides, family, self._refresh, device)

    def denoise(
        self, canvases: Sequence[Tensor], around: Sequence[BidirectionalSurroundings]
    ) -> list[Tensor]:
        """Return the logits [n, vocabulary] of canvases [n]; see `model.Model`."""
        transformer = self._model.transformer
        entries = [
            row.enter(canvas, transformer.rotation) for row, canvas in zip(around, canvases, strict=True)
        ]
        if len(entries) == 1 and canvases[0].is_cuda and not entries[0].whole:
            [entry], [row], [canvas] = entries, around, canvases
            *inputs, _ = entry.padded(GPU_STEP)
            logits = row.room.captured(*inputs)[: len(canvas)]
            row.made()
            return [logits]
        x = transformer.embedding(torch.cat([entry.ids for entry in entries]))
        rotate = transformer.rotation(torch.cat([entry.positions for entry in entries]))
        spans = [
            Span(row.room.store, entry.columns, entry.seen)
            for row, entry in zip(around, entries, strict=True)
        ]
        hidden = cached_pass(transformer, x, rotate, spans).split([len(entry.ids) for entry in entries])
        wanted = [states[entry.wanted] for states, entry in zip(hidden, entries, strict=True)]
        for row in around:
            row.made()
        return list(transformer.logits(torch.cat(wanted)).split([len(canvas) for canvas in canvases]))

    def fit(self, context: BidirectionalContext, canvas: Tensor) -> Tensor:
        """Mask the first FIT tokens after the canvas, and return how likely they then are; see `model.Model`.

        Where no code comes after, that is 0.
        """
        before, after = context.sides
        target = canvas.new_tensor(after[:FIT])
        if not len(target):
            return torch.zeros((), device=canvas.device)
        masked = torch.cat([canvas, torch.full_like(target, self.tokens.mask)])
        with self._around(Sides(before, after[FIT:]), len(masked)) as row:
            [logits] = self.denoise([masked], [row])
        likelihood = logits[len(canvas) :].float().log_softmax(-1).gather(-1, target[:, None])
        return likelihood.mean()


def _in_memory(sides: Sides, lead: int) -> list[int]:
    """Return both sides in the order in which they lie in memory: before, after, and the last `lead` of before."""
    cut = len(sides.before) - lead
    return sides.before[:cut] + sides.after + sides.before[cut:]
