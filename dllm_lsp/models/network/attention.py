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

from dllm_lsp.models.network.transformer import Transformer


class Heads(NamedTuple):
    """What decides which kernel serves."""

    device: torch.device
    dtype: torch.dtype
    heads: int
    key_value_heads: int
    width: int

    @classmethod
    def of(cls, transformer: Transformer) -> Heads:
        """Return those of a network."""
        shape, weight = transformer.config, transformer.norm.weight
        return cls(weight.device, weight.dtype, shape.heads, shape.key_value_heads, shape.head_width)


Mix = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(query, keys, values) to what the queries attend to.

The query is [1, heads, n, head width]; keys and values are [1, key-value heads, capacity, head width].
"""

Kernel = Callable[[Tensor, int, int, Tensor | None], Mix]
"""(seen [1], n, capacity, among) to a Mix in which n queries look at the first `seen` >= n keys.

`among` [n, n], if it is given, is added to the scores of the last n of these keys. Called once for a pass, and its
result in every layer. On a GPU nothing waits for the device.
"""

FEW = 64
"""With at most so many queries, torch's fused attention keeps one thread of a CPU busy; plain products keep all."""


def products(seen: Tensor, n: int, capacity: int, among: Tensor | None = None) -> Mix:
    """Attend by two plain products where queries are few and threads several, else by torch's own kernel.

    Only the keys that are seen are read.
    """
    length = int(seen)
    bias = None if among is None else F.pad(among, (length - n, 0))
    is_plain = n <= FEW and torch.get_num_threads() > 1

    def mix(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        keys, values, grouped = keys[:, :, :length], values[:, :, :length], _grouped(query, keys)
        mask = None if bias is None else bias.to(query.dtype).repeat(grouped.shape[2] // n, 1)
        if is_plain:
            return _two_products(grouped, keys, values, mask).reshape(query.shape)
        return F.scaled_dot_product_attention(grouped, keys, values, mask).reshape(query.shape)

    return mix


def _two_products(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    scores = (query * query.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    if bias is not None:
        scores += bias
    mixed: Tensor = scores.softmax(-1) @ values
    return mixed


def fused(seen: Tensor, n: int, capacity: int, among: Tensor | None = None) -> Mix:
    """Attend by torch's own choice among its kernels; the keys that are not seen are masked."""
    column = torch.arange(capacity, device=seen.device)
    bias = torch.zeros(1 if among is None else n, capacity, device=seen.device)
    if among is not None:
        own = column - (seen - n)
        bias = bias.where((own < 0) | (own >= n), among[:, own.clamp(0, n - 1)])
    bias = bias.masked_fill(column >= seen, float("-inf"))

    def mix(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        grouped = _grouped(query, keys)
        groups = grouped.shape[2] // n
        mask = bias.to(query.dtype)
        mask = mask.expand(groups * n, -1) if among is None else mask.repeat(groups, 1)
        return F.scaled_dot_product_attention(grouped, keys, values, mask).reshape(query.shape)

    return mix


def flash(seen: Tensor, n: int, capacity: int, among: Tensor | None = None) -> Mix:
    """Attend by the FlashAttention-2 in torch, which reads only the keys that are seen; with `among`, by `fused`."""
    if among is not None:
        return fused(seen, n, capacity, among)
    ends = F.pad(seen, (1, 0)).int()
    queries = n * torch.arange(2, dtype=torch.int32, device=seen.device)

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

    def kernel(seen: Tensor, n: int, capacity: int, among: Tensor | None = None) -> Mix:
        if among is not None:
            return fused(seen, n, capacity, among)
        used = seen.int()

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
    tensors = [torch.randn(1, count, length, heads.width, generator=random) for count, length in counts]
    on_device = [x.to(heads.device, heads.dtype) for x in tensors]
    errors = []
    for length, among in ((61, None), (80, None), (33, torch.full((n, n), float("-inf")).triu_(1))):
        seen = torch.tensor([length])
        expected = products(seen, n, capacity, among)(*tensors)
        given = None if among is None else among.to(heads.device)
        mixed = kernel(seen.to(heads.device), n, capacity, given)(*on_device)
        errors.append(float((mixed.cpu().float() - expected).norm() / expected.norm()))
    return max(errors)


def _grouped(query: Tensor, keys: Tensor) -> Tensor:
    """Return the queries [1, key-value heads, all that read this head's keys, head width]."""
    rows, _, _, width = query.shape
    return query.reshape(rows, keys.shape[1], -1, width)
