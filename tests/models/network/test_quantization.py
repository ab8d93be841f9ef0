from copy import deepcopy

import pytest
import torch
from tiny_model import tiny_model
from torch import Tensor, nn
from torch.nn import functional as F

from dllm_lsp.models.network.quantization import (
    Fp8Linear,
    Int8Embedding,
    Int8Linear,
    PackedLinear,
    TiedHead,
    quantize,
    quantized,
)
from dllm_lsp.models.network.transformer import Transformer, TransformerConfig
from dllm_lsp.models.streams.copying import CopyHead
from dllm_lsp.models.streams.encoded import BEFORE, CANVAS

CPU = torch.device("cpu")
LINEAR = [(PackedLinear, 0.02), (Int8Linear, 0.02), (Fp8Linear, 0.06)]
"""Layers, and how far their results may be off, relatively."""


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def error(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def test_no_weight_is_off_by_more_than_half_a_step() -> None:
    weight = random(5, 40) * torch.tensor([1e-3, 1.0, 50.0, 1.0, 0.0])[:, None]
    rows, scale = quantized(weight)
    assert rows.dtype == torch.int8
    assert ((rows * scale[:, None] - weight).abs() <= scale[:, None] * 0.5001).all()
    assert rows.abs().amax(1).tolist() == [127, 127, 127, 127, 0]


def test_what_is_quantized_stays_so() -> None:
    rows, scale = quantized(random(50, 64))
    again, same = quantized(rows * scale[:, None])
    assert torch.equal(again, rows)
    torch.testing.assert_close(same, scale)


@pytest.mark.parametrize(("kind", "most"), LINEAR)
@pytest.mark.parametrize("shape", [(1, 64), (40, 64), (2, 3, 64)])
@pytest.mark.parametrize("has_bias", [False, True])
def test_a_layer_does_what_the_whole_one_did(
    kind: type[nn.Module], most: float, shape: tuple[int, ...], has_bias: bool
) -> None:
    weight, x = random(48, 64), random(*shape) + 0.3
    bias = 3 * random(48) if has_bias else None
    layer = kind(weight, bias.bfloat16() if bias is not None and kind is Fp8Linear else bias)
    out = layer(x)
    assert out.shape == (*shape[:-1], 48)
    assert out.dtype == x.dtype
    assert error(out, F.linear(x, weight, bias)) < most


@pytest.mark.parametrize(("has_vnni", "most"), [(True, 127), (False, 63)])
def test_weights_keep_eight_bits_only_where_products_of_them_do_not_overflow(
    has_vnni: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: has_vnni)
    stored, _ = torch.ops.quantized.linear_unpack(PackedLinear(random(48, 64), None)._packed)
    assert stored.int_repr().abs().amax(1).tolist() == [most] * 48


@pytest.mark.parametrize(("kind", "most"), LINEAR)
def test_an_outlier_spoils_its_own_row_only(kind: type[nn.Module], most: float) -> None:
    weight, x = random(48, 64), random(4, 64)
    x[0, 0] = 1e4
    assert error(kind(weight, None)(x)[1:], F.linear(x, weight)[1:]) < most


@pytest.mark.parametrize(("kind", "most"), LINEAR)
def test_a_row_of_zeros_stays_one(kind: type[nn.Module], most: float) -> None:
    assert not kind(random(48, 64), None)(torch.zeros(2, 64)).any()


@pytest.mark.parametrize(("kind", "_"), LINEAR)
def test_a_row_comes_out_the_same_beside_any_others(kind: type[nn.Module], _: float) -> None:
    layer, x = kind(random(48, 64), None), random(4, 64)
    torch.testing.assert_close(layer(x * torch.tensor([[1.0], [9.0], [1.0], [0.1]]))[:1], layer(x[:1]))


@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_network_keeps_its_sense_in_less_memory(precision: str, tied: bool) -> None:
    shape = {
        "vocabulary": 400,
        "width": 64,
        "layers": 2,
        "heads": 2,
        "key_value_heads": 1,
        "feed_forward": 96,
    }
    torch.manual_seed(0)
    network = Transformer(TransformerConfig(**shape, bias=True, tied=tied)).eval()  # type: ignore[arg-type]
    for parameter in network.parameters():
        nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    small = deepcopy(network).bfloat16() if precision == "fp8" else deepcopy(network)
    quantize(small, precision, CPU)

    def logits(network: Transformer) -> Tensor:
        hidden = network(
            network.embedding(torch.arange(30)[None]), lambda layer, query, key, value: query + value
        )
        return network.logits(hidden)

    with torch.no_grad():
        assert error(logits(small), logits(network)) < (0.2 if precision == "fp8" else 0.1)
    assert not [module for module in small.modules() if isinstance(module, nn.Linear | nn.Embedding)]
    if precision == "fp8":
        whole, saved = (sum(x.nbytes for x in (*n.parameters(), *n.buffers())) for n in (network, small))
        assert saved < whole / 2 * 0.7, "of what bf16 takes"


def test_an_embedding_is_looked_up_row_by_row() -> None:
    weight = random(7, 16)
    ids = torch.tensor([[3, 3], [0, 6]])
    assert error(Int8Embedding(weight)(ids), weight[ids]) < 0.01


def test_an_embedding_in_bfloat16_stays_so_and_its_head_is_exact_to_eight_bits() -> None:
    weight = random(70, 64).bfloat16()
    embedding = Int8Embedding(weight)
    assert embedding(torch.tensor([1])).dtype == torch.bfloat16
    x = random(2, 5, 64)
    assert error(TiedHead(embedding)(x), F.linear(x, weight.float())) < 0.02
    assert TiedHead(embedding)(x.bfloat16()).dtype == torch.bfloat16


def test_of_the_bundled_architecture_all_but_the_copy_head_is_quantized() -> None:
    model = deepcopy(tiny_model())
    quantize(model, "int8", CPU, kept=(CopyHead,))
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert linear == {"copies.query", "copies.key", "copies.gate"}
    ids, last = torch.tensor([[11, 12, 13]]), torch.tensor([[10]])
    for role in (BEFORE, CANVAS):
        assert error(model.embed(ids, last, role), tiny_model().embed(ids, last, role)) < 0.02
    hidden = random(1, 3, 16)
    assert error(model.transformer.logits(hidden), tiny_model().transformer.logits(hidden)) < 0.05
