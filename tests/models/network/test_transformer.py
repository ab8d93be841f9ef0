from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_checkpoints import QWEN_CONFIG, VOCABULARY, llama, qwen2, qwen3
from torch import Tensor, nn

from dllm_lsp.models.checkpoints.layouts import QWEN
from dllm_lsp.models.checkpoints.shapes import qwen_shape
from dllm_lsp.models.network.transformer import RMSNorm, Rotation, Transformer, TransformerConfig

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


@pytest.mark.parametrize("size", [1.0, 1e-3, 0.0])
def test_a_norm_is_torchs_also_where_epsilon_counts(size: float) -> None:
    norm, reference = RMSNorm(6, eps=1e-6), nn.RMSNorm(6, eps=1e-6)
    nn.init.normal_(norm.weight)
    reference.load_state_dict(norm.state_dict())
    given = [(size * torch.arange(-8.0, 10).view(3, 6)).requires_grad_() for _ in range(2)]
    found, expected = norm(given[0]), reference(given[1])
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(given[0].grad, given[1].grad)


def test_a_norm_that_was_built_on_the_meta_device_has_its_epsilon() -> None:
    with torch.device("meta"):
        norm = RMSNorm(6, eps=1e-6)
    norm.to_empty(device="cpu")
    nn.init.ones_(norm.weight)
    assert torch.equal(norm(torch.zeros(1, 6)), torch.zeros(1, 6))


@pytest.mark.parametrize("tied", [True, False])
def test_the_parameters_of_a_shape_are_counted(tied: bool) -> None:
    shape = TransformerConfig(
        vocabulary=50,
        width=32,
        layers=3,
        heads=4,
        key_value_heads=2,
        head_width=6,
        feed_forward=48,
        tied=tied,
    )
    matrices = [each.numel() for each in Transformer(shape).parameters() if each.ndim == 2]
    assert shape.parameters == sum(matrices)


REFERENCES: dict[str, tuple[Callable[..., nn.Module], dict[str, object]]] = {
    "Qwen2": (qwen2, {"bias": True, "qk_norm": False}),
    "Qwen3": (qwen3, {"bias": False, "qk_norm": True}),
    "Llama": (llama, {"bias": False, "qk_norm": False}),
}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("key_value_heads", [1, 2, 4])
@pytest.mark.parametrize("name", REFERENCES)
def test_it_is_the_network_of_transformers_made_bidirectional(
    name: str, key_value_heads: int, tied: bool
) -> None:
    """In a batch of padded rows, of which every token sees all that is no padding."""
    make, kind = REFERENCES[name]
    changes = {"num_key_value_heads": key_value_heads, "tie_word_embeddings": tied}
    reference = make(**changes)
    tensors = dict(reference.state_dict())
    if tied:
        del tensors["lm_head.weight"]
    config = QWEN_CONFIG | changes | ({"head_dim": 12} if name == "Qwen3" else {})
    shape = qwen_shape(config, tensors, **kind).transformer
    network = Transformer(shape).requires_grad_(False)
    parameters = network.state_dict()
    for tensor, value in tensors.items():
        place = QWEN.place(tensor, shape)
        assert place is not None
        place.of(parameters).copy_(value)

    lengths = torch.tensor([13, 5, 9])
    ids = torch.randint(0, VOCABULARY, (3, 13), generator=torch.Generator().manual_seed(1))
    inside = torch.arange(13) < lengths[:, None]
    bias = torch.zeros(3, 1, 1, 13).masked_fill(~inside[:, None, None], -1e9)
    rotate = network.rotation(torch.arange(13))

    def attend(layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(
            rotate(query), rotate(key), value, bias, enable_gqa=True
        )

    logits = network.logits(network(network.embedding(ids), attend))
    expected = reference(ids, attention_mask=bias.expand(-1, -1, 13, -1)).logits
    torch.testing.assert_close(logits[inside], expected[inside], rtol=1e-4, atol=1e-4)
