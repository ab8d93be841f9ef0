import torch
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.models.transformer import Rotation

WIDTH = 8
positions = st.integers(-1000, 1000)


def turned(x: torch.Tensor, position: int) -> torch.Tensor:
    return Rotation(torch.tensor([position]), WIDTH, 10_000.0)(x)


@given(positions, positions)
def test_two_rotations_are_one(first: int, second: int) -> None:
    x = torch.randn(3, 1, WIDTH)
    torch.testing.assert_close(
        turned(turned(x, first), second), turned(x, first + second), rtol=1e-3, atol=1e-3
    )


@given(positions, positions, st.integers(-500, 500))
def test_scores_depend_on_the_distance_alone(query: int, key: int, shift: int) -> None:
    q, k = torch.randn(1, WIDTH), torch.randn(1, WIDTH)
    score = turned(q, query) @ turned(k, key).T
    shifted = turned(q, query + shift) @ turned(k, key + shift).T
    torch.testing.assert_close(score, shifted, rtol=1e-3, atol=5e-3)


def test_another_distance_gives_another_score() -> None:
    q, k = torch.randn(1, WIDTH), torch.randn(1, WIDTH)
    assert not torch.allclose(turned(q, 3) @ turned(k, 1).T, turned(q, 4) @ turned(k, 1).T)


def test_a_rotation_keeps_lengths_and_the_first_place_turns_nothing() -> None:
    x = torch.randn(5, 1, WIDTH)
    torch.testing.assert_close(turned(x, 77).norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(turned(x, 0), x)
