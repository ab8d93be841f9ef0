import pytest
import torch
from every_policy import POLICIES
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import DELETE, DREAMON, EXPAND, MASK, TOKENS, VOCABULARY, Wanted, logits

from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.policies import THRESHOLD, Policy, Proposals, everything, sequential, threshold

CPU = torch.device("cpu")
LONGEST = 8


def masked(*lengths: int) -> Canvas:
    return Canvas.masked(TOKENS, lengths, CPU)


def stepped(canvas: Canvas, wanted: Wanted, policy: Policy, **options: float) -> Canvas:
    """One row's step."""
    return canvas.step(canvas.proposed(logits(wanted), LONGEST), policy, **options)


def ids(canvas: Canvas) -> list[list[int]]:
    return [row.tolist() for row in canvas.written]


def test_a_new_canvas_is_all_masks() -> None:
    canvas = masked(3, 1)
    assert ids(canvas) == [[MASK] * 3, [MASK]]
    assert canvas.open.sum() == 4
    assert not canvas.settled
    assert canvas.end.tolist() == [0, 0]


def test_what_the_policy_accepts_is_committed_with_its_probability() -> None:
    canvas = stepped(masked(3), [(7, 0.5), (8, 0.75), (9, 0.25)], sequential)
    assert ids(canvas) == [[MASK, 8, MASK]]
    assert canvas.probability[0].tolist() == pytest.approx([0.5, 0.75, 0.25])


def test_a_delete_that_is_just_as_sure_as_it_must_be_does_not_wait() -> None:
    canvas = masked(3)
    confidence = torch.tensor([[0.25, 0.125, 0.5]])
    proposals = Proposals(confidence[..., None], confidence, torch.tensor([[7, 8, DELETE]]), canvas.open)
    assert ids(canvas.step(proposals, sequential, sure=0.5)) == [[7, MASK]]
    assert ids(canvas.step(proposals, sequential, sure=0.6)) == [[7, MASK, MASK]]


def test_a_committed_token_stays() -> None:
    canvas = stepped(masked(2), [(7, 0.95), (8, 0.2)], threshold)
    canvas = stepped(canvas, [(6, 0.99), (9, 0.3)], threshold)
    assert ids(canvas) == [[7, 9]]
    assert canvas.probability[0].tolist() == pytest.approx([0.95, 0.3])
    assert canvas.settled
    assert canvas.end.tolist() == [0]


def test_what_is_forbidden_is_never_proposed() -> None:
    proposals = masked(1).proposed(torch.zeros(1, 1, VOCABULARY).index_fill(-1, torch.tensor([MASK]), 99), 1)
    assert proposals.token.item() != MASK
    assert proposals.confidence.item() == pytest.approx(1 / (VOCABULARY - 2))  # a full canvas cannot expand


def test_a_delete_at_the_leftmost_mask_is_put_to_the_policy_and_takes_all_masks_to_its_right() -> None:
    canvas = stepped(masked(4), [(7, 0.95), (DELETE, 0.2), (8, 0.1), (5, 0.1)], threshold)
    canvas = stepped(canvas, [(7, 0.95), (DELETE, 0.6), (8, 0.5), (5, 0.1)], sequential)
    assert ids(canvas) == [[7]]
    assert canvas.end.tolist() == pytest.approx([0.6])


def test_lengths_are_told_without_asking_the_device() -> None:
    canvas = masked(3, 1)
    wanted = [(7, 0.95), (8, 0.5), (9, 0.25)], [(6, 0.95)]
    written = canvas.step(canvas.proposed(logits(*wanted), LONGEST), threshold)
    assert written.lengths is canvas.lengths
    assert written.lengths == (3, 1)
    wanted = [(7, 0.95), (8, 0.5), (DELETE, 0.95)], [(6, 0.95)]
    assert written.step(written.proposed(logits(*wanted), LONGEST), threshold).lengths == (2, 1)


def test_logits_of_rows_of_their_own_lengths_are_as_good_as_a_tensor_of_all() -> None:
    canvas, wanted = masked(3, 1), ([(7, 0.9), (EXPAND, 0.5), (9, 0.25)], [(6, 0.95)])
    whole = logits(*wanted)
    found, expected = (canvas.proposed(each, LONGEST) for each in ([whole[0], whole[1, :1]], whole))
    for ours, theirs in ((found.token, expected.token), (found.confidence, expected.confidence)):
        assert torch.equal(ours[canvas.open], theirs[canvas.open])
    assert torch.equal(found.open, expected.open)


def test_a_delete_takes_nothing_that_was_committed() -> None:
    canvas = stepped(masked(4), [(7, 0.3), (8, 0.4), (9, 0.95), (6, 0.2)], sequential)
    canvas = stepped(canvas, [(DELETE, 0.6), (8, 0.4), (9, 0.95), (6, 0.2)], sequential)
    assert ids(canvas) == [[9]]


def test_an_unsure_delete_further_to_the_right_waits() -> None:
    canvas = stepped(masked(4), [(7, 0.3), (8, 0.2), (DELETE, 0.6), (9, 0.4)], sequential)
    assert ids(canvas) == [[MASK, MASK, MASK, 9]]
    assert canvas.end.tolist() == [0]


def test_as_dreamon_decodes_a_delete_waits_for_nothing_and_no_other_goes_with_it() -> None:
    masks = Canvas.masked(DREAMON, [4], CPU)
    canvas = stepped(masks, [(7, 0.3), (8, 0.2), (DELETE, 0.6), (9, 0.4)], sequential)
    assert ids(canvas) == [[MASK, MASK]]
    canvas = stepped(masks, [(7, 0.3), (8, 0.7), (DELETE, 0.6), (DELETE, 0.95)], sequential)
    assert ids(canvas) == [[MASK, MASK, MASK]]


def test_with_no_certainty_asked_for_the_first_delete_ends_the_canvas() -> None:
    canvas = stepped(masked(3), [(7, 0.3), (DELETE, 0.4), (DELETE, 0.6)], everything, sure=0.0)
    assert ids(canvas) == [[7]]
    assert canvas.end.tolist() == pytest.approx([0.4])


def test_a_sure_delete_is_accepted_whatever_the_policy_and_it_chooses_among_the_rest() -> None:
    wanted = [(7, 0.3), (8, 0.5), (DELETE, THRESHOLD + 0.01), (DELETE, 0.99)]
    canvas = stepped(masked(4), wanted, sequential)
    assert ids(canvas) == [[MASK, 8]]
    assert canvas.end.tolist() == pytest.approx([THRESHOLD + 0.01])


def test_a_later_step_can_delete_more() -> None:
    canvas = stepped(masked(3), [(7, 0.2), (8, 0.3), (DELETE, 0.95)], sequential)
    canvas = stepped(canvas, [(DELETE, 0.93), (DELETE, 0.2)], sequential)
    assert ids(canvas) == [[8]]
    assert canvas.end.tolist() == pytest.approx([0.93])


@pytest.mark.parametrize("policy", [*POLICIES.values(), everything])
def test_a_hole_can_be_empty(policy: Policy) -> None:
    canvas = stepped(masked(3), [(DELETE, 0.99)] * 3, policy)
    assert ids(canvas) == [[]]
    assert canvas.settled
    assert canvas.end.tolist() == pytest.approx([0.99])


def test_an_expand_becomes_two_masks_and_nothing_to_its_right_is_accepted_with_it() -> None:
    canvas = stepped(masked(3), [(7, 0.95), (EXPAND, 0.95), (9, 0.99)], threshold)
    assert ids(canvas) == [[7, MASK, MASK, MASK]]
    canvas = stepped(canvas, [(7, 0.9), (5, 0.95), (6, 0.95), (8, 0.95)], threshold)
    assert ids(canvas) == [[7, 5, 6, 8]]


def test_what_was_committed_to_the_right_of_an_expand_moves() -> None:
    canvas = stepped(masked(3), [(7, 0.2), (8, 0.3), (9, 0.5)], sequential)
    canvas = stepped(canvas, [(EXPAND, 0.6), (8, 0.3), (9, 0.5)], sequential)
    assert ids(canvas) == [[MASK, MASK, MASK, 9]]
    assert canvas.probability[0, -1].item() == pytest.approx(0.5)


def test_nothing_is_expanded_beyond_the_budget() -> None:
    wanted = [(EXPAND, 0.9)] * LONGEST
    proposals = masked(LONGEST, LONGEST - 1).proposed(logits(wanted, wanted), LONGEST)
    assert (proposals.token == EXPAND).any(-1).tolist() == [False, True]


def test_rows_change_their_lengths_by_themselves() -> None:
    wanted = (
        [(7, 0.95), (EXPAND, 0.95), (8, 0.95)],
        [(DELETE, 0.95)] * 3,
        [(6, 0.95), (5, 0.95)],
        [(4, 0.95), (DELETE, 0.95), (9, 0.95)],
    )
    canvas = masked(3, 3, 2, 3)
    canvas = canvas.step(canvas.proposed(logits(*wanted), LONGEST), threshold)
    assert ids(canvas) == [[7, MASK, MASK, MASK], [], [6, 5], [4]]
    assert canvas.open.sum(-1).tolist() == [3, 0, 0, 0]
    assert canvas.end.tolist() == pytest.approx([0, 0.95, 0, 0.95])
    assert [ids(canvas.row(number)) for number in range(4)] == [[row] for row in ids(canvas)]


@pytest.mark.parametrize("policy", POLICIES.values())
@settings(max_examples=40)
@given(data=st.data())
def test_every_step_changes_something_and_keeps_what_was_committed(policy, data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, LONGEST), min_size=1, max_size=3))
    canvas = masked(*lengths)
    proposal = st.tuples(st.integers(DELETE, 5), st.floats(1 / VOCABULARY + 0.01, 0.99))
    for _ in range(12):
        if canvas.settled:
            return
        width = canvas.ids.shape[1]
        drawn = data.draw(
            st.lists(
                st.lists(proposal, min_size=width, max_size=width),
                min_size=len(lengths),
                max_size=len(lengths),
            )
        )
        after = canvas.step(canvas.proposed(logits(*drawn), LONGEST), policy)
        assert max(after.lengths) <= LONGEST
        for old, new, length in zip(ids(canvas), ids(after), canvas.lengths, strict=True):
            assert (old == new) == (MASK not in old)
            assert [token for token in old if token != MASK] == _without_new(old, new)
            assert len(new) <= length + 1
        canvas = after


def _without_new(old: list[int], new: list[int]) -> list[int]:
    """Return the tokens of `old` that are found in `new`, in their order."""
    rest = iter(new)
    return [token for token in old if token != MASK and token in rest]
