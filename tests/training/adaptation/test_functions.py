import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dllm_lsp.training.adaptation.functions import (
    Group,
    adapted,
    attention,
    cross_entropy,
    gated_unit,
    rotated,
)

HEADS, KEY_HEADS, WIDTH, CONTEXT, ROWS = 4, 2, 6, 7, 5


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def assert_same(found: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
    torch.testing.assert_close(found, expected)
    pull = torch.randn_like(found)
    gradients = [torch.autograd.grad(result, leaves, pull) for result in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_a_merged_product_gives_its_factors_the_gradients_that_they_would_have_apart() -> None:
    x, matrix = leaf(ROWS, 8), torch.randn(9, 8, dtype=torch.float64)
    factors = [leaf(3, 8), leaf(4, 3), leaf(3, 8), leaf(5, 3)]
    change = torch.cat([factors[1] @ factors[0], factors[3] @ factors[2]])
    merged = (matrix + change).detach()
    assert_same(adapted(x, merged, list(factors)), functional.linear(x, matrix + change), [x, *factors])


def test_a_gated_unit_is_silu_times_the_other_half() -> None:
    x = leaf(ROWS, 8)
    assert_same(gated_unit(x), functional.silu(x[:, :4]) * x[:, 4:], [x])


def test_attention_is_softmax_over_context_and_own_rows_for_each_group() -> None:
    qkv = leaf(ROWS, (HEADS + 2 * KEY_HEADS) * WIDTH)
    keys, values = (torch.randn(KEY_HEADS, CONTEXT, WIDTH, dtype=torch.float64) for _ in "kv")
    turn = torch.rand(ROWS, 1, WIDTH // 2, dtype=torch.float64)
    angles = (turn.cos(), turn.sin())
    groups = []
    for start, end, context in ((0, 2, [0, 1, 5]), (2, 5, [2, 3])):
        bias = torch.zeros(end - start, len(context) + end - start, dtype=torch.float64)
        bias[0, -1] = bias[1, 0] = float("-inf")
        groups.append(Group(start, end, torch.tensor(context), bias))

    rows = qkv.view(ROWS, -1, WIDTH)
    q, k = rotated(rows[:, :HEADS], *angles), rotated(rows[:, HEADS:-KEY_HEADS], *angles)
    expected = []
    for start, end, context, bias in groups:
        for row in range(start, end):
            for head in range(HEADS):
                of = head // (HEADS // KEY_HEADS)
                own_keys = torch.cat([keys[of, context], k[start:end, of]])
                own_values = torch.cat([values[of, context], rows[start:end, of - KEY_HEADS]])
                scores = own_keys @ q[row, head] / WIDTH**0.5 + bias[row - start]
                expected.append(scores.softmax(-1) @ own_values)
    found = attention(qkv, (keys, values), angles, groups)
    assert_same(found, torch.stack(expected).view(ROWS, -1), [qkv])


def test_cross_entropy_weighs_each_target_and_tells_its_nats() -> None:
    rows = 70  # more than are computed at a time
    hidden, head = leaf(rows, 8).float().detach().requires_grad_(), torch.randn(11, 8)
    targets, weights = torch.randint(11, (rows,)), torch.rand(rows)
    logits = hidden @ head.T
    nats = functional.cross_entropy(logits, targets, reduction="none")
    outcome = cross_entropy(hidden, head, targets, weights)
    assert_same(outcome.loss, (nats * weights).sum(), [hidden])
    torch.testing.assert_close(outcome.nats, nats)
    assert outcome.best.tolist() == logits.argmax(-1).tolist()
