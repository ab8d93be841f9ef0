from collections.abc import Callable, Iterator

import pytest
import torch
from scripted import Scripted

from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.denoising import denoise
from dllm_lsp.engine.policies import POLICIES
from dllm_lsp.models.tokenizer import Tokenizer

MASK, DELETE = Tokenizer.mask, Tokenizer.delete


def run(
    denoiser: Scripted,
    policy: str = "threshold",
    passes: int = 99,
    is_late: Callable[[], bool] = lambda: False,
) -> Iterator[Canvas]:
    return denoise(
        denoiser,
        len(denoiser.wanted),
        POLICIES[policy],
        passes=passes,
        is_late=is_late,
        device=torch.device("cpu"),
    )


def test_an_easy_span_takes_one_pass() -> None:
    [canvas] = run(Scripted([(7, 0.99), (8, 0.95), (DELETE, 0.99), (DELETE, 0.99)]))
    assert canvas.ids.tolist() == [7, 8]


def test_a_hard_span_takes_one_pass_a_token_surest_first() -> None:
    drafts = [canvas.ids.tolist() for canvas in run(Scripted([(7, 0.3), (8, 0.5), (9, 0.4)]))]
    assert drafts == [[MASK, 8, MASK], [MASK, 8, 9], [7, 8, 9]]


def test_sequential_writes_one_token_a_pass_however_sure() -> None:
    denoiser = Scripted([(7, 0.99), (8, 0.98), (9, 0.97)])
    assert len(list(run(denoiser, "sequential"))) == len(denoiser.seen) == 3


def test_every_pass_sees_the_last_draft() -> None:
    denoiser = Scripted([(7, 0.5), (8, 0.4)])
    drafts = [canvas.ids.tolist() for canvas in run(denoiser)]
    assert denoiser.seen == [[MASK, MASK], *drafts[:-1]]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("passes", [-1, 0, 1, 2])
def test_the_last_pass_of_the_budget_leaves_no_mask(policy: str, passes: int) -> None:
    denoiser = Scripted([(7, 0.3), (8, 0.5), (9, 0.4), (6, 0.2)])
    *_, last = run(denoiser, policy, passes)
    assert last.ids.tolist() == [7, 8, 9, 6]
    assert len(denoiser.seen) == max(1, passes)


def test_when_the_time_is_up_the_draft_is_completed_and_no_pass_follows() -> None:
    denoiser = Scripted([(7, 0.3), (8, 0.5), (9, 0.4), (6, 0.2)])
    *_, last = run(denoiser, is_late=lambda: len(denoiser.seen) == 2)
    assert last.settled
    assert len(denoiser.seen) == 2


def test_drafts_are_made_one_at_a_time_and_closing_ends_them() -> None:
    denoiser = Scripted([(7, 0.3), (8, 0.5), (9, 0.4)])
    drafts = run(denoiser)
    assert not denoiser.seen
    next(drafts)
    assert len(denoiser.seen) == 1
    drafts.close()  # type: ignore[attr-defined]
    assert list(drafts) == []
    assert len(denoiser.seen) == 1
