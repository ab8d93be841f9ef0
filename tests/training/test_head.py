import pytest
import torch
from torch.nn import functional as F

from dllm_lsp.training import head as head_module
from dllm_lsp.training.head import weighted_likelihood


@pytest.mark.parametrize("slice_logits", [1, 3 * 11, 10**6])
def test_loss_and_gradients_are_those_of_all_logits_at_once(
    slice_logits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_module, "_CPU_LOGITS", slice_logits)
    torch.manual_seed(0)
    hidden = torch.randn(7, 5).requires_grad_()
    head = torch.randn(11, 5).requires_grad_()
    targets, weights = torch.randint(0, 11, (7,)), torch.rand(7)
    others = torch.randn(7).index_fill(0, torch.tensor([2, 5]), float("-inf")).requires_grad_()
    own = -F.cross_entropy(hidden @ head.T, targets, reduction="none")
    expected = (torch.logaddexp(own, others) * weights).sum()
    found = weighted_likelihood(hidden, head, targets, weights, others)
    torch.testing.assert_close(found, expected)
    scale = 0.3
    wanted = torch.autograd.grad(scale * expected, [hidden, head, others])
    torch.testing.assert_close(torch.autograd.grad(scale * found, [hidden, head, others]), wanted)


def test_nothing_to_learn_costs_nothing() -> None:
    hidden, head = torch.randn(0, 5).requires_grad_(), torch.randn(11, 5).requires_grad_()
    loss = weighted_likelihood(hidden, head, torch.zeros(0, dtype=torch.long), *torch.zeros(2, 0))
    loss.backward()
    assert (loss, head.grad.abs().sum()) == (0, 0)
