"""Greedy completion by clean rows, one token a pass: the plainest use of an adapter, and the base's alone.

Every pass reads all written tokens again, many places at once; made for measuring, not for speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dllm_lsp.models.adapted.geometry import END, Kind, Stream, stream
from dllm_lsp.models.adapted.healing import healed_start
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.training.adaptation.context import Context, read
from dllm_lsp.training.adaptation.functions import Group
from dllm_lsp.training.adaptation.losses import placed
from dllm_lsp.training.adaptation.network import Network, Rows
from dllm_lsp.training.adaptation.places import Place

_BATCH = 16
_CHARACTERS = 8000  # of code before a cursor, and behind it
_ONE_LINE, _MORE = 40, 64  # tokens at most


class _Reading(NamedTuple):
    """Places whose streams the base has read; spans: first and last row of each place's streams."""

    places: list[Place]
    last: list[int]
    first: list[int]
    spans: list[tuple[int, int]]
    context: Context


class Completer:
    """Completes the same places again and again, with what the base makes of them kept in memory.

    `alone` hides the code behind the cursor, as the base alone reads.
    """

    def __init__(self, tokenizer: TextTokenizer, places: Sequence[Place], *, alone: bool = False) -> None:
        self.places = places
        self._tokenizer, self._alone = tokenizer, alone
        self._readings: list[_Reading] = []

    def complete(self, network: Network) -> Iterator[tuple[Place, str]]:
        """Yield every place with what is written there.

        The rest of a line, and one line, end with the line; the base alone, which knows no end, is told how many lines
        there are.
        """
        if not self._readings:
            parts = (list(self.places[at : at + _BATCH]) for at in range(0, len(self.places), _BATCH))
            self._readings = [self._read(network, part) for part in parts]
        for reading in self._readings:
            yield from zip(reading.places, self._written(network, reading), strict=True)

    def _read(self, network: Network, places: list[Place]) -> _Reading:
        streams: list[Stream] = []
        last, first, spans, at = [], [], [], 0
        for place in places:
            own = self._streams(place)
            before = own[-1]
            last.append(before.ids[-1])
            first.append(before.first + len(before.ids) - 1)
            own[-1] = Stream(before.ids[:-1], before.first)
            streams += own
            size = sum(len(each.ids) for each in own)
            spans.append((at, at + size))
            at += size
        return _Reading(places, last, first, spans, read(network.base, network.angles, streams))

    def _streams(self, place: Place) -> list[Stream]:
        text, encode = place.text, self._tokenizer.encode
        start = healed_start(text, place.cursor)
        window = text[max(0, start - _CHARACTERS) : start]
        before = stream(Kind.BEFORE, encode(window))
        if self._alone:
            return [before]
        behind = text[place.end : place.end + _CHARACTERS]
        rest = behind.split("\n", 1)[0]
        below = behind[len(rest) : len(rest) + 12 * Kind.BELOW.positions]
        related = [stream(Kind.SNIPPET, encode(each), n) for n, each in enumerate(place.snippets)]
        return [*related, stream(Kind.BELOW, encode(below)), stream(Kind.REST, encode(rest)), before]

    @torch.no_grad()
    def _written(self, network: Network, reading: _Reading) -> list[str]:
        barred = [i for i in self._tokenizer.silent(network.base.shape.vocabulary) if i != END]
        written: list[list[int]] = [[] for _ in reading.places]
        open_places = list(range(len(written)))
        while open_places:
            hidden = self._last_rows(network, reading, written, open_places)
            logits = functional.linear(hidden, network.base.embedding).float()
            logits[:, barred] = float("-inf")
            for number, row in zip(list(open_places), logits, strict=True):
                place = reading.places[number]
                token = self._best(row, _stem(place), written[number])
                if token != END:
                    written[number].append(token)
                if token == END or self._is_done(place, written[number]):
                    open_places.remove(number)
        return [self._answer(place, ids) for place, ids in zip(reading.places, written, strict=True)]

    def _last_rows(
        self, network: Network, reading: _Reading, written: list[list[int]], numbers: Iterable[int]
    ) -> Tensor:
        ids: list[int] = []
        positions: list[int] = []
        groups, ends = [], []
        for number in numbers:
            own = [reading.last[number], *written[number]]
            seen = torch.arange(*reading.spans[number])
            bias = torch.full((len(own), len(own)), float("-inf")).triu_(1)
            bias = torch.cat([torch.zeros(len(own), len(seen)), bias], 1)
            groups.append(Group(len(ids), len(ids) + len(own), seen, bias))
            positions += range(reading.first[number], reading.first[number] + len(own))
            ids += own
            ends.append(len(ids) - 1)
        rows = Rows(torch.tensor(ids), torch.tensor(positions), groups)
        base = network.base
        hidden = network.hidden(placed(rows, base.device, base.dtype), reading.context)
        return hidden[torch.tensor(ends, device=base.device)]

    def _best(self, logits: Tensor, stem: bytes, written: Sequence[int]) -> int:
        """Return the likeliest token, of those that go on with what is left of the stem."""
        left = stem[len(b"".join(map(self._tokenizer.spelled, written))) :]
        if not left:
            return int(logits.argmax())
        longer, shorter = self._tokenizer.spelling(left)
        allowed = torch.tensor(longer + shorter, device=logits.device)
        return int(allowed[logits[allowed].argmax()])

    def _told(self, place: Place) -> int:
        """How many lines are written at most, 0 where the adapter has to end them itself."""
        return max(1, place.lines) if place.lines < 2 or self._alone else 0

    def _is_done(self, place: Place, written: Sequence[int]) -> bool:
        if len(written) >= (_MORE if place.lines > 1 else _ONE_LINE):
            return True
        told = self._told(place)
        return told > 0 and self._text(place, written).count("\n") >= told

    def _answer(self, place: Place, written: Sequence[int]) -> str:
        text, told = self._text(place, written), self._told(place)
        return "\n".join(text.split("\n")[:told]) if told else text

    def _text(self, place: Place, written: Sequence[int]) -> str:
        return self._tokenizer.decode(written)[len(_stem(place).decode()) :]


def _stem(place: Place) -> bytes:
    return place.text[healed_start(place.text, place.cursor) : place.cursor].encode()
