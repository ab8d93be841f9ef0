from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from dllm_lsp.models.network import attention
from dllm_lsp.models.network.attention import Heads, Kernel, best, disagreement, fused, products

HEADS = Heads(torch.device("cpu"), torch.float32, heads=6, key_value_heads=2, width=8)


def one_by_one(query: Tensor, keys: Tensor, values: Tensor, lengths: list[int]) -> Tensor:
    """The definition of attention, for each query by itself."""
    out = torch.empty_like(query)
    group = query.shape[1] // keys.shape[1]
    for row, head, i in torch.cartesian_prod(*(torch.arange(size) for size in query.shape[:3])).tolist():
        used = slice(0, lengths[row])
        scores = keys[row, head // group, used] @ query[row, head, i] / query.shape[-1] ** 0.5
        out[row, head, i] = scores.softmax(0) @ values[row, head // group, used]
    return out


def tensors(rows: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(rows)
    return [
        torch.randn(rows, heads, length, 8, generator=random) for heads, length in ((6, 3), (2, 11), (2, 11))
    ]


@pytest.mark.parametrize("kernel", [products, fused])
@pytest.mark.parametrize("lengths", [[11], [1], [4, 11, 7]])
def test_queries_see_their_rows_keys_and_no_others(kernel: Kernel, lengths: list[int]) -> None:
    query, keys, values = tensors(len(lengths))
    mixed = kernel(torch.tensor(lengths), 3, 11)(query, keys, values)
    torch.testing.assert_close(mixed, one_by_one(query, keys, values, lengths))


def cached_attention(
    q: Tensor, k: Tensor, v: Tensor, *, cache_seqlens: Tensor, causal: bool
) -> tuple[Tensor, None]:
    """What flash-attn's function promises: tensors are [rows, length, heads, head width]."""
    assert cache_seqlens.dtype == torch.int32
    assert not causal
    turned = [x.transpose(1, 2) for x in (q, k, v)]
    return one_by_one(*turned, cache_seqlens.tolist()).transpose(1, 2), None


def test_flash_attentions_layout_is_its_own() -> None:
    kernel = attention._with_cache(cached_attention, "cache_seqlens")
    assert disagreement(kernel, HEADS) < 1e-5


def broken(lengths: Tensor, n: int, capacity: int) -> attention.Mix:
    raise RuntimeError("no kernel image is available")


def careless(lengths: Tensor, n: int, capacity: int) -> attention.Mix:
    return fused(torch.full_like(lengths, capacity), n, capacity)


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def offer(*found: Kernel) -> None:
        named = [(kernel.__name__, kernel) for kernel in found]
        monkeypatch.setattr(attention, "kernels", lambda device, dtype: iter(named))

    best.cache_clear()
    yield offer
    best.cache_clear()


def test_a_kernel_that_fails_or_is_wrong_does_not_serve(offered: Callable[..., None]) -> None:
    offered(broken, careless, products, fused)
    assert best(HEADS) is products


def test_where_none_is_right_torch_chooses(offered: Callable[..., None]) -> None:
    offered(broken, careless)
    assert best(HEADS) is fused


def test_a_cpu_takes_the_products() -> None:
    best.cache_clear()
    assert best(HEADS) is products
