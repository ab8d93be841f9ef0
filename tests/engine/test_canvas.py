import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scripted import VOCABULARY, probabilities

from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.policies import POLICIES, THRESHOLD, everything, sequential, threshold
from dllm_lsp.models.tokenizer import Tokenizer

MASK, DELETE = Tokenizer.mask, Tokenizer.delete
CPU = torch.device("cpu")


def masked(length: int) -> Canvas:
    return Canvas.masked(length, CPU)


def test_a_new_canvas_is_all_masks() -> None:
    canvas = masked(3)
    assert canvas.ids.tolist() == [MASK] * 3
    assert not canvas.settled
    assert canvas.end == 0


def test_what_the_policy_accepts_is_committed_with_its_probability() -> None:
    canvas = masked(3).step(probabilities([(7, 0.5), (8, 0.75), (9, 0.25)]), sequential)
    assert canvas.ids.tolist() == [MASK, 8, MASK]
    assert canvas.probability.tolist() == pytest.approx([0.5, 0.75, 0.25])


def test_a_committed_token_stays() -> None:
    canvas = masked(2).step(probabilities([(7, 0.95), (8, 0.2)]), threshold)
    canvas = canvas.step(probabilities([(6, 0.99), (9, 0.3)]), threshold)
    assert canvas.ids.tolist() == [7, 9]
    assert canvas.probability.tolist() == pytest.approx([0.95, 0.3])
    assert canvas.settled
    assert canvas.end == 0


def test_a_delete_at_the_leftmost_mask_is_put_to_the_policy_and_takes_all_to_its_right() -> None:
    canvas = masked(3).step(probabilities([(7, 0.95), (DELETE, 0.2), (8, 0.1)]), threshold)
    canvas = canvas.step(probabilities([(7, 0.95), (DELETE, 0.6), (8, 0.5)]), sequential)
    assert canvas.ids.tolist() == [7]
    assert canvas.end == pytest.approx(0.6)


def test_an_unsure_delete_further_to_the_right_waits() -> None:
    canvas = masked(4).step(probabilities([(7, 0.3), (8, 0.2), (DELETE, 0.6), (9, 0.4)]), sequential)
    assert canvas.ids.tolist() == [MASK, MASK, MASK, 9]
    assert canvas.end == 0


def test_with_no_certainty_asked_for_the_first_delete_ends_the_canvas() -> None:
    wanted = [(7, 0.3), (DELETE, 0.4), (DELETE, 0.6)]
    canvas = masked(3).step(probabilities(wanted), everything, sure=0.0)
    assert canvas.ids.tolist() == [7]
    assert canvas.end == pytest.approx(0.4)


def test_a_sure_delete_is_accepted_whatever_the_policy_and_it_chooses_among_the_rest() -> None:
    canvas = masked(4).step(
        probabilities([(7, 0.3), (8, 0.5), (DELETE, THRESHOLD + 0.01), (DELETE, 0.99)]), sequential
    )
    assert canvas.ids.tolist() == [MASK, 8]
    assert canvas.end == pytest.approx(THRESHOLD + 0.01)


def test_a_later_step_can_delete_more() -> None:
    canvas = masked(3).step(probabilities([(7, 0.2), (8, 0.3), (DELETE, 0.95)]), sequential)
    canvas = canvas.step(probabilities([(DELETE, 0.93), (DELETE, 0.2)]), sequential)
    assert canvas.ids.tolist() == []
    assert canvas.end == pytest.approx(0.93)


@pytest.mark.parametrize("policy", [*POLICIES.values(), everything])
def test_a_hole_can_be_empty(policy) -> None:
    canvas = masked(3).step(probabilities([(DELETE, 0.99)] * 3), policy)
    assert canvas.ids.tolist() == []
    assert canvas.settled
    assert canvas.end == pytest.approx(0.99)


@pytest.mark.parametrize("policy", POLICIES.values())
@given(data=st.data())
def test_every_step_commits_or_deletes_and_keeps_what_was_committed(policy, data: st.DataObject) -> None:
    canvas = masked(data.draw(st.integers(1, 8)))
    proposal = st.tuples(st.integers(DELETE, 5), st.floats(1 / VOCABULARY + 0.01, 1))
    while not canvas.settled:
        length = len(canvas.ids)
        drawn = data.draw(st.lists(proposal, min_size=length, max_size=length))
        after = canvas.step(probabilities(drawn), policy)
        kept = canvas.ids[: len(after.ids)]
        assert torch.equal(after.ids[kept != MASK], kept[kept != MASK])
        assert (after.ids == MASK).sum() < (canvas.ids == MASK).sum()
        assert len(after.ids) == length or after.end > 0
        canvas = after
