from collections.abc import Iterator

import pytest
import torch
from every_policy import POLICIES
from looping import denoise
from scripted import DELETE, EXPAND, MASK, TOKENS, Scripted

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.canvas import Canvas

UNHURRIED = float("inf")


def run(
    model: Scripted,
    policy: str = "threshold",
    budget: Budget | None = None,
    longest: int = 8,
) -> Iterator[list[list[int]]]:
    """Yield the drafts, each row without its padding."""
    masks = Canvas.masked(TOKENS, [len(row) for row in model.wanted], torch.device("cpu"))
    budget = budget or Budget(99, UNHURRIED)
    for canvas in denoise(model, masks, POLICIES[policy], budget, longest):
        yield [canvas.row(number).ids[0].tolist() for number in range(len(model.wanted))]


def test_an_easy_span_takes_one_pass() -> None:
    assert list(run(Scripted([(7, 0.99), (8, 0.95), (DELETE, 0.99), (DELETE, 0.99)]))) == [[[7, 8]]]


def test_a_hard_span_takes_one_pass_a_token_surest_first() -> None:
    drafts = [draft for [draft] in run(Scripted([(7, 0.3), (8, 0.5), (9, 0.4)]))]
    assert drafts == [[MASK, 8, MASK], [MASK, 8, 9], [7, 8, 9]]


def test_sequential_writes_one_token_a_pass_however_sure() -> None:
    model = Scripted([(7, 0.99), (8, 0.98), (9, 0.97)])
    assert len(list(run(model, "sequential"))) == len(model.seen) == 3


def test_every_pass_sees_the_last_draft() -> None:
    model = Scripted([(7, 0.5), (8, 0.4)], [(9, 0.6)])
    drafts = list(run(model))
    assert model.seen == [[[MASK, MASK], [MASK]], *drafts[:-1]]


def test_rows_end_with_the_slowest() -> None:
    drafts = list(run(Scripted([(7, 0.5), (8, 0.4)], [(9, 0.6), (6, 0.99)])))
    assert drafts == [[[7, MASK], [MASK, 6]], [[7, 8], [9, 6]]]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("passes", [1, 2])
def test_the_last_pass_of_the_budget_leaves_no_mask(policy: str, passes: int) -> None:
    model = Scripted([(7, 0.3), (8, 0.5), (9, 0.4), (6, 0.2)])
    *_, last = run(model, policy, Budget(passes, UNHURRIED))
    assert last == [[7, 8, 9, 6]]
    assert len(model.seen) == passes


def test_the_last_pass_expands_nothing() -> None:
    model = Scripted([(EXPAND, 0.9), (7, 0.5), (7, 0.5), (7, 0.5)])
    *_, last = run(model, budget=Budget(2, UNHURRIED))
    assert MASK not in last[0]
    assert EXPAND not in last[0]


def test_when_the_time_is_up_the_draft_is_completed_and_no_pass_follows() -> None:
    """A pass takes ten milliseconds, so that a fourth one would end behind 35."""
    model = Scripted([(7, 0.3), (8, 0.5), (9, 0.4), (6, 0.2), (5, 0.1)])
    budget = Budget(99, 35, clock=lambda: 0.010 * len(model.seen))
    *_, last = run(model, budget=budget)
    assert last == [[7, 8, 9, 6, 5]]
    assert len(model.seen) == 3
    assert budget.milliseconds == pytest.approx(30)


def test_drafts_are_made_one_at_a_time_and_closing_ends_them() -> None:
    model = Scripted([(7, 0.3), (8, 0.5), (9, 0.4)])
    drafts = run(model)
    assert not model.seen
    next(drafts)
    assert len(model.seen) == 1
    drafts.close()  # type: ignore[attr-defined]
    assert list(drafts) == []
    assert len(model.seen) == 1
