import math

import pytest
import torch
from every_policy import POLICIES
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.engine.policies import (
    THRESHOLD,
    Proposals,
    entropy_bound,
    everything,
    frechet,
    sequential,
    threshold,
)

VOCABULARY = 4


@st.composite
def rows(draw: st.DrawFn, count: int = 1) -> Proposals:
    """Some rows of proposals, of which any may be open."""
    width = draw(st.integers(1, 8))
    logit = st.one_of(st.just(0.0), st.floats(-3, 12, width=32))
    logits = draw(st.lists(logit, min_size=count * width * VOCABULARY, max_size=count * width * VOCABULARY))
    opened = draw(st.lists(st.booleans(), min_size=count * width, max_size=count * width))
    return Proposals.of(
        torch.tensor(logits).view(count, width, VOCABULARY), torch.tensor(opened).view(count, width)
    )


def proposals(*confidences: float) -> Proposals:
    """One row, all open; what is left of the probability goes to one other token."""
    probabilities = torch.tensor([[[c, 1 - c] for c in confidences]])
    return Proposals.of(probabilities.log(), torch.ones(1, len(confidences), dtype=torch.bool))


def accepted(policy, *confidences: float, **parameters: float) -> list[int]:
    [row] = policy(proposals(*confidences), **parameters).tolist()
    return [position for position, is_accepted in enumerate(row) if is_accepted]


@pytest.mark.parametrize("policy", [*POLICIES.values(), everything])
@given(data=st.data())
def test_only_open_positions_are_accepted_and_one_at_least(policy, data: st.DataObject) -> None:
    row = data.draw(rows())
    chosen = policy(row)
    assert not (chosen & ~row.open).any()
    assert chosen.any() == row.open.any()


@pytest.mark.parametrize("policy", [*POLICIES.values(), everything])
@given(data=st.data())
def test_each_row_is_judged_by_itself(policy, data: st.DataObject) -> None:
    batch = data.draw(rows(3))
    alone = [
        policy(Proposals(*(getattr(batch, name)[i : i + 1] for name in batch.__slots__))) for i in range(3)
    ]
    assert torch.equal(policy(batch), torch.cat(alone))


@given(rows())
def test_sequential_accepts_one_of_the_best(row: Proposals) -> None:
    chosen = sequential(row)
    assert int(chosen.sum()) == int(row.open.any())
    assert bool((row.confidence[chosen] == row.confidence[row.open].max()).all() if row.open.any() else True)


def exactly(*confidences: float) -> Proposals:
    """One row, all open, of confidences that no arithmetic of a processor has touched."""
    confidence = torch.tensor([confidences])
    probabilities = torch.stack([confidence, 1 - confidence], -1)
    return Proposals(
        probabilities,
        confidence,
        torch.zeros(1, len(confidences), dtype=torch.long),
        torch.ones(1, len(confidences), dtype=torch.bool),
    )


def test_what_is_just_as_sure_as_the_threshold_is_accepted() -> None:
    assert threshold(exactly(0.75, 0.5, 0.25), least=0.5).tolist() == [[True, True, False]]
    assert threshold(exactly(0.99, THRESHOLD)).tolist() == [[True, True]]


def test_what_is_just_at_a_bound_is_in_it_for_entropy_and_not_for_frechet() -> None:
    """0.75 + 0.75 - 1 - 0.25 is 0.25, and a certain token has no entropy: both are exact in binary."""
    assert frechet(exactly(0.75, 0.75), least=0.25).tolist() == [[True, False]]
    assert frechet(exactly(0.75, 0.75), least=0.125).tolist() == [[True, True]]
    assert entropy_bound(exactly(1.0, 1.0, 0.5), bound=0.0).tolist() == [[True, True, True]]


@given(rows())
def test_threshold_accepts_all_that_are_sure_or_else_the_best(row: Proposals) -> None:
    sure = row.open & (row.confidence >= THRESHOLD)
    assert torch.equal(threshold(row), sure if sure.any() else sequential(row))


@given(rows(), st.floats(0, 1))
def test_frechet_accepts_the_largest_number_that_its_formula_allows(row: Proposals, least: float) -> None:
    confidences = sorted(row.confidence[row.open].tolist(), reverse=True)
    allowed = [
        n
        for n in range(1, len(confidences) + 1)
        if sum(confidences[:n]) - (n - 1) - (1 - confidences[n - 1]) > least + 1e-5
    ]
    possible = [
        n
        for n in range(1, len(confidences) + 1)
        if sum(confidences[:n]) - (n - 1) - (1 - confidences[n - 1]) > least - 1e-5
    ]
    some = min(1, len(confidences))
    assert max(allowed, default=some) <= int(frechet(row, least).sum()) <= max(possible, default=some)


def test_frechet_prefers_the_surest() -> None:
    assert accepted(frechet, 0.6, 0.9, 0.95, 0.85, least=0.6) == [1, 2]
    assert accepted(frechet, 0.6, 0.9, 0.95, 0.85, least=0.25) == [1, 2, 3]
    assert accepted(frechet, 0.51, 0.55, 0.5, least=0.25) == [1]


@given(rows(), st.floats(0, 2))
def test_entropy_bound_accepts_the_largest_number_that_its_formula_allows(
    row: Proposals, bound: float
) -> None:
    entropies = sorted(row.entropy[row.open].tolist())
    sums = [sum(entropies[: k - 1]) for k in range(1, len(entropies) + 1)]
    number = int(entropy_bound(row, bound).sum())
    assert sum(total <= bound - 1e-4 for total in sums) <= number <= sum(t <= bound + 1e-4 for t in sums)


def test_entropy_is_in_nats_and_the_least_uncertain_come_first() -> None:
    assert proposals(0.5).entropy.tolist() == [[pytest.approx(math.log(2))]]
    assert accepted(entropy_bound, 0.7, 0.99, 0.9, 0.98, bound=0.2) == [1, 2, 3]  # 0.056 + 0.098 + 0.325
    assert accepted(entropy_bound, 0.7, 0.99, 0.9, 0.98, bound=0.15) == [1, 3]
    assert accepted(entropy_bound, 0.7, 0.99, 0.9, 0.98, bound=0.0) == [1]


@given(rows())
def test_everything_accepts_all_masks(row: Proposals) -> None:
    assert torch.equal(everything(row), row.open)
