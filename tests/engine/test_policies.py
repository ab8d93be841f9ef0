import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.engine.policies import POLICIES, THRESHOLD, everything, sequential, threshold

confidences = st.lists(
    st.one_of(st.just(0.0), st.just(THRESHOLD), st.floats(0, 1, width=32)), min_size=1, max_size=30
).map(torch.tensor)


@given(confidences)
def test_sequential_accepts_one_of_the_best_while_a_mask_is_left(confidence: torch.Tensor) -> None:
    accepted = sequential(confidence)
    assert int(accepted.sum()) == int((confidence > 0).any())
    assert bool((confidence[accepted] == confidence.max()).all())


@given(confidences)
def test_threshold_accepts_all_that_are_sure_or_else_the_best(confidence: torch.Tensor) -> None:
    sure = confidence >= THRESHOLD
    assert torch.equal(threshold(confidence), sure if sure.any() else sequential(confidence))


@given(confidences)
def test_everything_accepts_all_masks(confidence: torch.Tensor) -> None:
    assert torch.equal(everything(confidence), confidence > 0)


@pytest.mark.parametrize("policy", [*POLICIES.values(), everything])
@given(st.lists(st.lists(st.floats(0, 1, width=32), min_size=5, max_size=5), min_size=1, max_size=4))
def test_policies_judge_each_canvas_of_a_batch_by_itself(policy, rows: list[list[float]]) -> None:
    batch = torch.tensor(rows)
    assert torch.equal(policy(batch), torch.stack([policy(row) for row in batch]))
