"""Windows of files: many holes that share one reading of the code before them, ready for the network.

Holes that end on the same line share the stream of the lines below, too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

import torch
from msgspec import Struct
from torch import Tensor

from dllm_lsp.models.adapted.geometry import HEAD, SNIPPETS, Kind, Stream, stream
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.training.adaptation.canvases import Canvas, canvas
from dllm_lsp.training.adaptation.functions import Group
from dllm_lsp.training.adaptation.holes import HoleKinds, code_lines, cut_holes
from dllm_lsp.training.adaptation.network import Rows
from dllm_lsp.training.adaptation.related import Relations
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.holes import Span

_CHARACTERS = 8000  # of a window; more than its tokens ever spell
_BELOW_CHARACTERS = 1500
_FROM_THE_TOP = 0.25  # windows that begin where their file does
_LEAST_BEFORE = 128  # tokens before a hole, but at the top of a file: in an editor there are mostly more
_LONGEST_LINE = 300
_TRIES = 3  # cuts per hole that is wanted; some are the same or too long


class WindowConfig(Struct, frozen=True, kw_only=True):
    """What windows hold: at most `lines` ends of holes, `holes` on each, each of up to `tokens` tokens.

    below: room of the stream of lines below, drawn for each line. main_share: of windows in the main language, where
    there are others. with_snippets: of windows that show related code. snippets: how often each of the best is taken,
    so that the adapter learns to do without any one of them.
    """

    lines: int = 8
    holes: int = 4
    tokens: int = 16
    below: tuple[int, ...] = (126, 64, 32)
    kinds: HoleKinds = HoleKinds()
    main_language: str = "python"
    main_share: float = 0.75
    with_snippets: float = 0.5
    snippets: float = 0.75


class Window(NamedTuple):
    """Streams to be read by the base, canvas rows, and targets: which row, which token, what weight; all [T].

    distances: see `canvases.Target`. holes: how many there are.
    """

    streams: list[Stream]
    rows: Rows
    at: Tensor
    tokens: Tensor
    weights: Tensor
    distances: Tensor
    holes: int


class Placed(NamedTuple):
    """A canvas behind `before` tokens of the code before, the last known one not counted, and what its line holds."""

    canvas: Canvas
    before: int
    rest: Stream


class Windows:
    """Windows drawn from files, without end."""

    def __init__(
        self, files: Sequence[SourceFile], tokenizer: TextTokenizer, config: WindowConfig, seed: int
    ) -> None:
        self.files, self.tokenizer, self.config = files, tokenizer, config
        self.rng = random.Random(seed)
        self._relations = Relations(files)
        self._chances = list(accumulate(_chances(files, config.main_language, config.main_share)))

    def __iter__(self) -> Iterator[Window]:
        while True:
            file = self.rng.choices(self.files, cum_weights=self._chances)[0]
            window = self.cut(file)
            if window is not None:
                yield window

    def cut(self, file: SourceFile) -> Window | None:
        """Cut a window out of a file, None if it has no place for holes."""
        rng, config = self.rng, self.config
        start = _window_start(file.text, rng)
        text = file.text[start : start + _CHARACTERS]
        ids = self.tokenizer.encode(text)
        numbers = _token_starts(text, ids, self.tokenizer)
        lines = code_lines(text)
        least = _LEAST_BEFORE if start else 0
        ends = [
            number
            for number, line in enumerate(lines)
            if least < numbers.get(line.end, -1) < Kind.BEFORE.room and line.end - line.start < _LONGEST_LINE
        ]
        groups = []
        for number in sorted(rng.sample(ends, min(config.lines, len(ends)))):
            cuts = cut_holes(text, lines, number, rng, count=_TRIES * config.holes, kinds=config.kinds)
            cuts = [cut for cut in cuts if least <= numbers.get(cut.start, -1)]
            placed = self._placed(text, ids, numbers, cuts)
            if placed:
                end = _line_end(text, lines[number].end)
                below = self.tokenizer.encode(text[end : end + _BELOW_CHARACTERS])
                groups.append((stream(Kind.BELOW, below[: rng.choice(config.below)]), placed))
        if not groups:
            return None
        end = start + lines[ends[-1]].end
        return assembled(ids, groups, self._snippets(file, start, end))

    def _snippets(self, file: SourceFile, start: int, end: int) -> list[Stream]:
        if self.rng.random() >= self.config.with_snippets:
            return []
        found = self._relations.snippets(file, [(start, end)], 2 * SNIPPETS)
        taken = [text for text in found if self.rng.random() < self.config.snippets][:SNIPPETS]
        encoded = self.tokenizer.encode_batch(taken)
        return [stream(Kind.SNIPPET, ids, number) for number, ids in enumerate(encoded)]

    def _placed(self, text: str, ids: list[int], numbers: dict[int, int], cuts: list[Span]) -> list[Placed]:
        rests = [text[cut.end : _line_end(text, cut.end)] for cut in cuts]
        encoded = self.tokenizer.encode_batch([*(text[cut.start : cut.end] for cut in cuts), *rests])
        placed: list[Placed] = []
        for cut, hole, rest in zip(cuts, encoded, encoded[len(cuts) :], strict=False):
            if len(hole) > self.config.tokens or len(placed) == self.config.holes:
                continue
            before = numbers[cut.start]
            last = ids[before - 1] if before else Kind.BEFORE.mark
            rows = canvas(last, hole, self.config.tokens, ids, self.rng)
            placed.append(Placed(rows, before, stream(Kind.REST, rest)))
        return placed


def _chances(files: Sequence[SourceFile], main: str, share: float) -> list[float]:
    """How often each file is drawn: by its size, as far as it goes, within its part of all files."""
    sizes = [min(len(file.text), 4 * _CHARACTERS) for file in files]
    total = {True: 1, False: 1}
    for file, size in zip(files, sizes, strict=True):
        total[file.language == main] += size
    parts = {True: share / total[True], False: (1 - share) / total[False]}
    return [size * parts[file.language == main] for file, size in zip(files, sizes, strict=True)]


def _window_start(text: str, rng: random.Random) -> int:
    """A line's start, such that there is code left behind it."""
    if rng.random() < _FROM_THE_TOP or len(text) < _CHARACTERS // 4:
        return 0
    return text.rfind("\n", 0, rng.randrange(max(1, len(text) - _CHARACTERS // 4))) + 1


def _line_end(text: str, at: int) -> int:
    """Where the line break is that ends the line, or the text."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _token_starts(text: str, ids: list[int], tokenizer: TextTokenizer) -> dict[int, int]:
    """The number of the token that begins at a character, for characters where one begins or all end."""
    starts = accumulate((len(tokenizer.spelled(i)) for i in ids), initial=0)
    if text.isascii():
        return {start: number for number, start in enumerate(starts)}
    characters = {at: n for n, at in enumerate(accumulate((len(c.encode()) for c in text), initial=0))}
    return {characters[at]: number for number, at in enumerate(starts) if at in characters}


def assembled(
    ids: Sequence[int], groups: Sequence[tuple[Stream, list[Placed]]], snippets: Sequence[Stream] = ()
) -> Window:
    """Lay out the streams and rows of holes behind a common beginning `ids`, grouped by their stream of lines below."""
    longest = max(hole.before for _, placed in groups for hole in placed)
    before = stream(Kind.BEFORE, ids[:longest])
    rests = list(dict.fromkeys(hole.rest for _, placed in groups for hole in placed))
    streams = [before, *(below for below, _ in groups), *rests, *snippets]
    spans = _spans(streams)
    spans_of_rests = dict(zip(rests, spans[1 + len(groups) :], strict=False))
    related = range(spans[1 + len(groups) + len(rests) - 1][1], spans[-1][1])
    row_ids: list[int] = []
    positions: list[int] = []
    targets: list[tuple[int, int, float, int]] = []
    laid: list[Group] = []
    for (_, placed), below in zip(groups, spans[1:], strict=False):
        start = len(row_ids)
        for hole in placed:
            at = len(row_ids)
            first = before.first + HEAD + hole.before - 1
            row_ids += hole.canvas.ids
            positions += [first + offset for offset in hole.canvas.offsets]
            targets += [(at + t.row, t.token, t.weight, t.distance) for t in hole.canvas.targets]
        laid.append(_group(start, len(row_ids), placed, [related, range(*below)], spans_of_rests))
    at_rows, tokens, weights, distances = (torch.tensor(column) for column in zip(*targets, strict=True))
    rows = Rows(torch.tensor(row_ids), torch.tensor(positions), laid)
    holes = sum(len(placed) for _, placed in groups)
    return Window(streams, rows, at_rows, tokens, weights, distances, holes)


def _spans(streams: Sequence[Stream]) -> list[tuple[int, int]]:
    ends = list(accumulate(len(each.ids) for each in streams))
    return list(zip([0, *ends], ends, strict=False))


def _group(
    start: int, end: int, placed: list[Placed], common: list[range], rests: dict[Stream, tuple[int, int]]
) -> Group:
    """Say what the rows of the holes that end on one line see: all of them the `common` rows of the context."""
    shared = max(_seen_before(hole) for hole in placed)
    parts = [torch.arange(shared), *(torch.arange(part.start, part.stop) for part in common)]
    at = shared + sum(map(len, common))
    columns, everyone = {}, slice(shared, at)
    for rest in dict.fromkeys(hole.rest for hole in placed):
        parts.append(torch.arange(*rests[rest]))
        columns[rest] = slice(at, at + len(rest.ids))
        at += len(rest.ids)
    bias = torch.full((end - start, at + end - start), float("-inf"))
    row = 0
    for hole in placed:
        last = row + len(hole.canvas.ids)
        bias[row:last, : _seen_before(hole)] = 0
        bias[row:last, everyone] = 0
        bias[row:last, columns[hole.rest]] = 0
        bias[row:last, at + row : at + last] = visible(hole.canvas)
        row = last
    return Group(start, end, torch.cat(parts), bias)


def _seen_before(hole: Placed) -> int:
    """Rows of the code before that a hole sees: all but the last known token, which is its first canvas row."""
    return HEAD + hole.before - 1


def visible(canvas: Canvas) -> Tensor:
    """Return which rows of a canvas see which: [rows, rows], 0 or -inf."""
    rows, clean = len(canvas.ids), canvas.clean
    bias = torch.full((rows, rows), float("-inf"))
    bias[:clean, :clean].triu_(1)
    bias[clean:, : canvas.known] = 0
    bias[clean:, clean:] = 0
    return bias
