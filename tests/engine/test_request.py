"""Which lengths are tried, and which candidate is taken, with a model that cannot say where a text ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import torch
from scripted import DREAMON, VOCABULARY
from torch import Tensor

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.effort import Effort
from dllm_lsp.engine.length import lengths_within, merit
from dllm_lsp.engine.policies import sequential, threshold
from dllm_lsp.engine.request import Asked, Request, Served
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits

CPU = torch.device("cpu")


class Spelled:
    """A tokenizer whose tokens are called by their numbers."""

    def pieces(self, ids: list[int]) -> list[str]:
        return [f" {i}" for i in ids]


class Around:
    """A context that is brought to a hole."""

    bytes = 0
    hole: WholeWords | None = None


class WholeWords:
    """A hole that begins with nothing."""

    stem = ""


class LengthKnower:
    """Is surest of canvases of `promising` tokens; the code after fits what is `fitting` tokens long.

    It has memory for `most` canvases in a pass.
    """

    before = after = canvas = 64
    snippets, is_small = 0, False
    leftward = None

    def __init__(
        self, promising: list[int], fitting: int, delete: int | None = None, most: float = math.inf
    ) -> None:
        self.tokens = DREAMON.fixed._replace(delete=delete)
        self.promising, self.fitting, self.most = promising, fitting, most
        self.rows: list[list[int]] = []
        self.open = 0

    def context(self, language: str) -> Around:
        return Around()

    def read(self, hole: Hole) -> WholeWords:
        raise NotImplementedError

    def encode(self, context: Around, tokens: WholeWords, has_time: Callable[[], bool]) -> int:
        context.hole = tokens
        return 0

    @contextmanager
    def surroundings(self, context: Around, canvas: int) -> Iterator[int]:
        assert context.hole is not None
        self.open += 1
        try:
            yield canvas
        finally:
            self.open -= 1

    def denoise(self, canvases: Sequence[Tensor], around: Sequence[int]) -> list[Tensor]:
        assert len(around) == len(canvases) == self.open
        assert all(len(canvas) <= room for canvas, room in zip(canvases, around, strict=True))
        self.rows.append(list(map(len, canvases)))
        if len(canvases) > self.most:
            raise MemoryError
        found = [torch.zeros(len(canvas), VOCABULARY) for canvas in canvases]
        for logits in found:
            logits[:, 10 + len(logits) % 30] = 9.0 if len(logits) in self.promising else 1.0
        return found

    def fit(self, context: Around, canvas: Tensor) -> Tensor:
        return torch.tensor(-float(abs(len(canvas) - self.fitting)))


def ended(model: LengthKnower, effort: Effort, limits: Limits, relieve: Callable[[], None] = int) -> Request:
    """Return a request that was served alone until it ended."""
    served = Served(model, Spelled(), CPU, None, relieve)  # type: ignore[arg-type]
    asked = Asked("", WholeWords(), limits, effort)
    request = Request(served, model.context("python"), asked, Budget(99, math.inf))
    while request.wanted is not None:
        if request.is_reading:
            request.take(())
            continue
        try:
            logits = model.denoise(*request.wanted)
        except MemoryError as error:
            request.fail(error)
        else:
            request.take(logits)
    assert model.open == 0
    return request


def written(model: LengthKnower, candidates: int, longest: int = 24) -> list[int]:
    """Return the length and the tokens of what is written."""
    request = ended(model, Effort(9, candidates, threshold), Limits(tokens=longest, milliseconds=math.inf))
    assert request.error is None
    assert request.infilled is not None
    pieces = request.infilled.pieces
    assert request.draft is not None
    assert request.draft.pieces == pieces
    return [len(pieces), *{int(piece.text or "") for piece in pieces}]


def test_the_length_that_the_first_pass_promises_is_written() -> None:
    model = LengthKnower(promising=[12], fitting=1)
    assert written(model, candidates=1) == [12, 22]
    assert model.rows == [[1, 2, 4, 6, 8, 12, 16, 24], [12]]


@pytest.mark.parametrize("fitting", [6, 12, 16])
def test_of_several_candidates_the_one_is_taken_that_the_code_after_fits(fitting: int) -> None:
    model = LengthKnower(promising=[6, 12, 16], fitting=fitting)
    assert written(model, candidates=3) == [fitting, 10 + fitting]
    assert sorted(model.rows[-1]) == [6, 12, 16]


def test_where_memory_is_short_smaller_batches_come_to_the_same() -> None:
    model = LengthKnower(promising=[12], fitting=1, most=4)
    assert written(model, candidates=1) == [12, 22]
    assert model.rows == [[1, 2, 4, 6, 8, 12, 16, 24], [1, 2, 4, 6], [8, 12, 16, 24], [12]]


def test_where_it_holds_one_canvas_they_come_one_by_one_and_one_candidate_is_written() -> None:
    """The model has memory for three at a time, which is fewer than the second try takes."""
    model = LengthKnower(promising=[12], fitting=1, most=3)
    relieved: list[int] = []
    limits = Limits(tokens=24, milliseconds=math.inf)
    request = ended(model, Effort(9, 3, threshold), limits, lambda: relieved.append(len(model.rows)))
    assert request.error is None
    assert request.infilled is not None
    assert len(request.infilled.pieces) == 12
    alone = [[1], [2], [4], [6], [8], [12], [16], [24]]
    assert model.rows == [[1, 2, 4, 6, 8, 12, 16, 24], [1, 2, 4, 6], *alone, [12]]
    assert relieved == [1, 2], "what can be missed is given up before another try"


def test_where_it_holds_none_that_is_the_end() -> None:
    model = LengthKnower(promising=[12], fitting=1, most=0)
    request = ended(model, Effort(9, 3, threshold), Limits(tokens=24, milliseconds=math.inf))
    assert isinstance(request.error, MemoryError)
    assert request.infilled is None
    assert model.rows == [[1, 2, 4, 6, 8, 12, 16, 24], [1, 2, 4, 6], [1]]


def test_a_model_that_can_delete_has_all_the_room() -> None:
    model = LengthKnower(promising=[12], fitting=1, delete=1)
    assert written(model, candidates=3)[0] == 24
    assert {tuple(rows) for rows in model.rows} == {(24,)}


@pytest.mark.parametrize("candidates", [1, 3])
def test_a_draft_is_only_enough_while_no_other_candidate_may_be_taken_instead(candidates: int) -> None:
    """Nothing is as sure as is asked for, which the first step shows."""
    model = LengthKnower(promising=[], fitting=16)
    limits = Limits(tokens=16, confidence=0.99, milliseconds=math.inf)
    assert ended(model, Effort(99, candidates, sequential), limits).infilled is not None
    decoded = model.rows[1:]
    assert len(decoded) == (1 if candidates == 1 else max(decoded[0]))
    assert all(len(rows) == candidates for rows in decoded)


@pytest.mark.parametrize(("longest", "lengths"), [(1, [1]), (5, [1, 2, 4, 5]), (6, [1, 2, 4, 6])])
def test_the_largest_canvas_is_among_the_lengths(longest: int, lengths: list[int]) -> None:
    assert lengths_within(longest) == lengths


def test_merit_is_the_mean_of_a_texts_own_likelihood_and_of_what_comes_after() -> None:
    canvas = Canvas(
        DREAMON,
        ids=torch.tensor([[7, 8], [7, 0]]),
        probability=torch.tensor([[0.5, 0.5], [0.25, 0.9]]),
        lengths=(2, 1),
        end=torch.zeros(2),
        expanded=torch.zeros(2, dtype=torch.long),
    )
    assert merit(canvas, torch.tensor([-1.0, -2.0])).tolist() == pytest.approx(
        [(math.log(0.5) - 1) / 2, (math.log(0.25) - 2) / 2]
    )
