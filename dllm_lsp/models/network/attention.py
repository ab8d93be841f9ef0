"""Attention over cached keys and values of which each row uses the first so many: one function for each kernel.

All give the same results. Which one serves depends on the device and on what is installed; `best` finds out by trying.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Heads(NamedTuple):
    """What decides which kernel serves."""

    device: torch.device
    dtype: torch.dtype
    heads: int
    key_value_heads: int
    width: int


Mix = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(query, keys, values) to what the queries attend to.

The query is [rows, heads, n, head width]; keys and values are [rows, key-value heads, capacity, head width].
"""

Kernel = Callable[[Tensor, int, int], Mix]
"""(lengths [rows], n, capacity) to a Mix in which the queries of row i look at the first lengths[i] >= 1 keys.

Called once for a pass and its result in every layer. Nothing waits for the device.
"""


def products(lengths: Tensor, n: int, capacity: int) -> Mix:
    """Two batched products: for few queries on a CPU faster than the fused kernel."""
    bias = _bias(lengths, capacity)

    def mix(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return two_products(_grouped(query, keys), keys, values, bias.to(query.dtype)).view_as(query)

    return mix


def two_products(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Attend from queries [rows, heads, n, head width], `bias` added to their scaled scores."""
    scores = (query * query.shape[-1] ** -0.5) @ keys.transpose(-1, -2) + bias
    mixed: Tensor = scores.softmax(-1) @ values
    return mixed


def fused(lengths: Tensor, n: int, capacity: int) -> Mix:
    """Torch's own choice among its kernels, with the keys beyond each row's masked."""
    bias = _bias(lengths, capacity)

    def mix(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        grouped = _grouped(query, keys)
        mask = bias.to(query.dtype).expand(-1, -1, grouped.shape[2], -1)
        return F.scaled_dot_product_attention(grouped, keys, values, mask).reshape(query.shape)

    return mix


def flash(lengths: Tensor, n: int, capacity: int) -> Mix:
    """The FlashAttention-2 that torch is built with; it reads no masked keys. More than one row falls to `fused`."""
    if len(lengths) > 1:
        return fused(lengths, n, capacity)
    ends = F.pad(lengths, (1, 0)).int()
    queries = n * torch.arange(2, dtype=torch.int32, device=lengths.device)

    def mix(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        packed = [x[0].transpose(0, 1) for x in (query, keys, values)]
        mixed = torch.ops.aten._flash_attention_forward(
            *packed, queries, ends, n, capacity, 0.0, False, False
        )[0]
        out: Tensor = mixed.transpose(0, 1)[None]
        return out

    return mix


def _with_cache(function: Callable[..., Any], lengths_name: str) -> Kernel:
    """Return the kernel of a function of flash-attn, whose tensors are [rows, length, heads, head width]."""

    def kernel(lengths: Tensor, n: int, capacity: int) -> Mix:
        used = lengths.int()

        def mix(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            tensors = [x.transpose(1, 2) for x in (query, keys, values)]
            mixed = function(*tensors, **{lengths_name: used}, causal=False)
            out: Tensor = mixed[0] if isinstance(mixed, tuple) else mixed
            return out.transpose(1, 2)

        return mix

    return kernel


_FLASH_ATTENTION = {
    "2": ("flash_attn", "flash_attn_with_kvcache", "cache_seqlens"),
    "3": ("flash_attn_interface", "flash_attn_with_kvcache", "cache_seqlens"),
    "4": ("flash_attn.cute.interface", "flash_attn_varlen_func", "seqused_k"),
}
"""Versions of flash-attn: module, function, and what that calls the lengths."""

_VERSIONS = {9: "342", 10: "42", 12: "42"}
"""Which of them to try, by the device's major compute capability; elsewhere the second."""


def kernels(device: torch.device, dtype: torch.dtype) -> Iterator[tuple[str, Kernel]]:
    """Yield the kernels that may serve there, by name, the best first; the last one always does."""
    if device.type == "cpu":
        yield "products", products
        return
    if device.type == "cuda" and dtype in (torch.float16, torch.bfloat16):
        for version in _VERSIONS.get(torch.cuda.get_device_capability(device)[0], "2"):
            module, function, lengths_name = _FLASH_ATTENTION[version]
            try:
                found = getattr(importlib.import_module(module), function)
            except (ImportError, AttributeError, OSError, RuntimeError):
                continue
            yield f"flash-attn {version}", _with_cache(found, lengths_name)
        yield "flash", flash
    yield "fused", fused


@cache
def best(heads: Heads) -> Kernel:
    """Return the first kernel that runs there and agrees with the plain products."""
    for _, kernel in kernels(heads.device, heads.dtype):
        try:
            if disagreement(kernel, heads) < 0.02:
                return kernel
        except (RuntimeError, TypeError, NotImplementedError):
            continue
    return fused


def disagreement(kernel: Kernel, heads: Heads) -> float:
    """Return how far a kernel's results on random tensors are from those of the products in float32, relatively."""
    random = torch.Generator().manual_seed(0)
    n, capacity = 16, 80
    counts = ((heads.heads, n), (heads.key_value_heads, capacity), (heads.key_value_heads, capacity))
    tensors = [torch.randn(2, count, length, heads.width, generator=random) for count, length in counts]
    errors = []
    for lengths in (torch.tensor([61]), torch.tensor([80, 33])):
        given = [x[: len(lengths)] for x in tensors]
        expected = products(lengths, n, capacity)(*given)
        on_device = [x.to(heads.device, heads.dtype) for x in given]
        mixed = kernel(lengths.to(heads.device), n, capacity)(*on_device)
        errors.append(float((mixed.cpu().float() - expected).norm() / expected.norm()))
    return max(errors)


def _grouped(query: Tensor, keys: Tensor) -> Tensor:
    """Return the queries [rows, key-value heads, all that read this head's keys, head width]."""
    rows, _, _, width = query.shape
    return query.reshape(rows, keys.shape[1], -1, width)


def _bias(lengths: Tensor, capacity: int) -> Tensor:
    """Return [rows, 1, 1, capacity]: minus infinity for the keys that a row does not use, else 0."""
    hidden = torch.arange(capacity, device=lengths.device) >= lengths[:, None]
    return torch.zeros(hidden.shape, device=lengths.device).masked_fill(hidden, float("-inf"))[:, None, None]
