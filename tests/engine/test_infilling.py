"""Which lengths are tried, and which candidate is taken, with a model that cannot say where a text ends."""

import math

import pytest
import torch
from scripted import DREAMON, VOCABULARY

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.effort import Effort
from dllm_lsp.engine.infilling import infill
from dllm_lsp.engine.length import lengths_within, merit
from dllm_lsp.engine.model import Denoiser
from dllm_lsp.engine.policies import threshold

CPU = torch.device("cpu")


class LengthKnower:
    """Is surest of canvases of `promising` tokens; the code after fits what is `fitting` tokens long."""

    before = after = canvas = 64

    def __init__(self, promising: list[int], fitting: int, delete: int | None = None) -> None:
        self.tokens = DREAMON.fixed._replace(delete=delete)
        self.promising, self.fitting = promising, fitting
        self.rows: list[list[int]] = []

    def context(self, language: str) -> object:
        raise NotImplementedError

    def denoiser(self, contexts: list[str], canvas: int) -> Denoiser:
        assert all(context == "the hole" for context in contexts)

        def denoise(ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            assert ids.shape[1] <= canvas
            self.rows.append(lengths.tolist())
            logits = torch.zeros(*ids.shape, VOCABULARY)
            for row, length in zip(logits, lengths.tolist(), strict=True):
                row[:, 10 + length % 30] = 9.0 if length in self.promising else 1.0
            return logits

        return denoise

    def fit(self, contexts: list[str], ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return -(lengths - self.fitting).abs().float()


def written(model: LengthKnower, candidates: int, batch: int = 16, longest: int = 24) -> list[int]:
    effort, budget = (
        Effort(passes=9, candidates=candidates, policy=threshold, batch=batch),
        Budget(9, math.inf),
    )
    *drafts, (last, is_last) = infill(model, "the hole", longest, effort, budget, device=CPU)  # type: ignore[arg-type]
    has_rivals = candidates > 1 and model.tokens.delete is None
    assert is_last
    assert all(is_alone is not has_rivals for _, is_alone in drafts)
    assert last.settled
    assert last.ids.shape[0] == 1
    return [int(last.lengths[0]), *set(last.ids[0].tolist())]


def test_the_length_that_the_first_pass_promises_is_written() -> None:
    model = LengthKnower(promising=[12], fitting=1)
    assert written(model, candidates=1) == [12, 22]
    assert model.rows == [[1, 2, 4, 6, 8, 12, 16, 24], [12]]


@pytest.mark.parametrize("fitting", [6, 12, 16])
def test_of_several_candidates_the_one_is_taken_that_the_code_after_fits(fitting: int) -> None:
    model = LengthKnower(promising=[6, 12, 16], fitting=fitting)
    assert written(model, candidates=3) == [fitting, 10 + fitting]
    assert sorted(model.rows[-1]) == [6, 12, 16]


def test_a_smaller_batch_comes_to_the_same() -> None:
    model = LengthKnower(promising=[12], fitting=1)
    assert written(model, candidates=1, batch=3) == [12, 22]
    assert max(map(len, model.rows)) == 3


def test_a_model_that_can_delete_has_all_the_room() -> None:
    model = LengthKnower(promising=[12], fitting=1, delete=1)
    assert written(model, candidates=3)[0] == 24
    assert {tuple(rows) for rows in model.rows} == {(24,)}


@pytest.mark.parametrize(("longest", "lengths"), [(1, [1]), (5, [1, 2, 4, 5]), (6, [1, 2, 4, 6])])
def test_the_largest_canvas_is_among_the_lengths(longest: int, lengths: list[int]) -> None:
    assert lengths_within(longest) == lengths


def test_merit_is_the_mean_of_a_texts_own_likelihood_and_of_what_comes_after() -> None:
    canvas = Canvas(
        DREAMON,
        ids=torch.tensor([[7, 8], [7, 0]]),
        probability=torch.tensor([[0.5, 0.5], [0.25, 0.9]]),
        lengths=torch.tensor([2, 1]),
        end=torch.zeros(2),
        expanded=torch.zeros(2, dtype=torch.long),
    )
    assert merit(canvas, torch.tensor([-1.0, -2.0])).tolist() == pytest.approx(
        [(math.log(0.5) - 1) / 2, (math.log(0.25) - 2) / 2]
    )
