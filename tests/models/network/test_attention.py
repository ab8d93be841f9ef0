from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from dllm_lsp.models.network import attention
from dllm_lsp.models.network.attention import Heads, Kernel, best, disagreement, fused, products

HEADS = Heads(torch.device("cpu"), torch.float32, heads=6, key_value_heads=2, width=8)


def one_by_one(query: Tensor, keys: Tensor, values: Tensor, seen: int, among: Tensor | None = None) -> Tensor:
    """The definition of attention, for each query by itself."""
    out = torch.empty_like(query)
    n, group = query.shape[2], query.shape[1] // keys.shape[1]
    for head, i in torch.cartesian_prod(*(torch.arange(size) for size in query.shape[1:3])).tolist():
        scores = keys[0, head // group, :seen] @ query[0, head, i] / query.shape[-1] ** 0.5
        if among is not None:
            scores[seen - n :] += among[i]
        out[0, head, i] = scores.softmax(0) @ values[0, head // group, :seen]
    return out


def tensors(n: int = 3) -> list[Tensor]:
    random = torch.Generator().manual_seed(n)
    return [
        torch.randn(1, heads, length, 8, generator=random) for heads, length in ((6, n), (2, 11), (2, 11))
    ]


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Numbers of threads for which the products are other functions."""
    threads = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("kernel", [products, fused])
@pytest.mark.parametrize("seen", [11, 3, 7])
def test_queries_see_the_first_keys_and_no_others(kernel: Kernel, seen: int) -> None:
    query, keys, values = tensors()
    mixed = kernel(torch.tensor([seen]), 3, 11, None)(query, keys, values)
    torch.testing.assert_close(mixed, one_by_one(query, keys, values, seen))


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("kernel", [products, fused])
@pytest.mark.parametrize("seen", [11, 4, 7])
def test_what_queries_see_of_each_other_is_told(kernel: Kernel, seen: int) -> None:
    """Any numbers that are added to their scores, minus infinity among them."""
    query, keys, values = tensors(4)
    among = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    among[0, 1:] = among[2, 3] = among[3, 0] = float("-inf")
    mixed = kernel(torch.tensor([seen]), 4, 11, among)(query, keys, values)
    torch.testing.assert_close(mixed, one_by_one(query, keys, values, seen, among))


def cached_attention(
    q: Tensor, k: Tensor, v: Tensor, *, cache_seqlens: Tensor, causal: bool
) -> tuple[Tensor, None]:
    """What flash-attn's function promises: tensors are [rows, length, heads, head width]."""
    assert cache_seqlens.dtype == torch.int32
    assert not causal
    turned = [x.transpose(1, 2) for x in (q, k, v)]
    return one_by_one(*turned, int(cache_seqlens)).transpose(1, 2), None


def test_flash_attentions_layout_is_its_own() -> None:
    kernel = attention._with_cache(cached_attention, "cache_seqlens")
    assert disagreement(kernel, HEADS) < 1e-5


def broken(seen: Tensor, n: int, capacity: int, among: Tensor | None = None) -> attention.Mix:
    raise RuntimeError("no kernel image is available")


def careless(seen: Tensor, n: int, capacity: int, among: Tensor | None = None) -> attention.Mix:
    return fused(torch.full_like(seen, capacity), n, capacity, among)


def deaf(seen: Tensor, n: int, capacity: int, among: Tensor | None = None) -> attention.Mix:
    return fused(seen, n, capacity)


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def offer(*found: Kernel) -> None:
        named = [(kernel.__name__, kernel) for kernel in found]
        monkeypatch.setattr(attention, "kernels", lambda device, dtype: iter(named))

    best.cache_clear()
    yield offer
    best.cache_clear()


def test_a_kernel_that_fails_or_is_wrong_does_not_serve(offered: Callable[..., None]) -> None:
    offered(broken, careless, deaf, products, fused)
    assert best(HEADS) is products


def test_where_none_is_right_torch_chooses(offered: Callable[..., None]) -> None:
    offered(broken, careless, deaf)
    assert best(HEADS) is fused


def test_a_cpu_takes_the_products() -> None:
    best.cache_clear()
    assert best(HEADS) is products
