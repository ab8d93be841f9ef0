import torch
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.training.muon import Muon, orthogonalized


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6))
def test_singular_values_come_close_to_one_and_directions_stay(rows: int, columns: int, seed: int) -> None:
    matrices = torch.randn(2, rows, columns, generator=torch.Generator().manual_seed(seed))
    for before, after in zip(matrices, orthogonalized(matrices), strict=True):
        left, values, right = torch.linalg.svd(before, full_matrices=False)
        rotated = left.T @ after @ right.T
        large = values > 0.1 * values[0]  # five iterations do not lift the smallest all the way
        assert rotated.diagonal()[large].sub(1).abs().max() < 0.5
        assert (rotated - rotated.diagonal().diag()).abs().max() < 1e-2


def test_it_moves_as_the_library_that_takes_one_matrix_at_a_time() -> None:
    shapes = [(12, 4), (4, 4), (4, 9), (12, 4)]
    ours, theirs = ([torch.nn.Parameter(torch.ones(shape)) for shape in shapes] for _ in range(2))
    optimizers = [
        Muon([{"params": ours, "lr": 0.1}], weight_decay=0.2),
        torch.optim.Muon(theirs, lr=0.1, weight_decay=0.2),
    ]
    torch.manual_seed(0)
    for _ in range(3):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0.02)  # theirs computes in bfloat16


def test_what_has_no_gradient_stays() -> None:
    parameter = torch.nn.Parameter(torch.ones(2, 2))
    Muon([{"params": [parameter], "lr": 0.1}], weight_decay=0.2).step()
    assert parameter.tolist() == [[1.0, 1.0], [1.0, 1.0]]
