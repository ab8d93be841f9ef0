"""A model of Dream's shape with random weights, for what depends on the shape alone, and how long a call takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch
from tokenizers import Tokenizer, models
from torch import nn

from dllm_lsp.engine.adapters.causal import CausalInfilling
from dllm_lsp.engine.adapters.full import BidirectionalInfilling, Refresh
from dllm_lsp.models.adapted.network import Adapted, Factors, LowRank
from dllm_lsp.models.checkpoints.causal import Causal
from dllm_lsp.models.checkpoints.families import Family
from dllm_lsp.models.checkpoints.full import Bidirectional
from dllm_lsp.models.checkpoints.layouts import QWEN
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.network.quantization import quantize
from dllm_lsp.models.network.transformer import Transformer, TransformerConfig

DREAM_7B = TransformerConfig(
    vocabulary=152_064,
    width=3584,
    layers=28,
    heads=28,
    key_value_heads=4,
    feed_forward=18_944,
    rope_theta=1e6,
    bias=True,
    qk_norm=False,
    tied=False,
)
DREAM_TINY = TransformerConfig(
    vocabulary=512,
    width=64,
    layers=2,
    heads=4,
    key_value_heads=2,
    feed_forward=128,
    rope_theta=1e6,
    bias=True,
    qk_norm=False,
    tied=False,
)

MASK = 3
"""The id of the mask; which it is makes no difference."""


class Scale(NamedTuple):
    """How large everything is, and where it runs."""

    device: torch.device
    shape: TransformerConfig
    canvases: tuple[int, ...]
    contexts: tuple[int, ...]
    repeats: int


def full_scale(device: torch.device) -> Scale:
    """What is measured on a GPU."""
    return Scale(device, DREAM_7B, canvases=(16, 32, 64, 128), contexts=(256, 1024, 4096), repeats=20)


def tiny_scale() -> Scale:
    """The same in a minute on a CPU, to see that all of it runs."""
    return Scale(torch.device("cpu"), DREAM_TINY, canvases=(16, 32), contexts=(64,), repeats=2)


def dream(shape: TransformerConfig, device: torch.device, precision: str) -> Bidirectional:
    """Return the model; the same weights at every call with the same shape and device."""
    dtype = torch.float32 if precision == "fp32" or device.type == "cpu" else torch.bfloat16
    with torch.device("meta"):
        transformer = Transformer(shape)
    transformer = transformer.to(dtype).to_empty(device=device).eval().requires_grad_(False)
    generator = torch.Generator(device).manual_seed(0)
    for parameter in transformer.parameters():
        if parameter.ndim == 1:
            nn.init.ones_(parameter)
        else:
            nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5, generator=generator)
    if precision in ("int8", "fp8"):
        quantize(transformer, precision, device)
    return Bidirectional(transformer, _family(shape))


def served(model: Bidirectional, refresh: Refresh) -> BidirectionalInfilling:
    """Return the model as the engine sees it, with a tokenizer that knows no words: it is given ids."""
    return BidirectionalInfilling(model, TextTokenizer(Tokenizer(models.BPE()), {}), refresh)


def adapted(base: Transformer) -> CausalInfilling:
    """Return a causal base with an adapter of rank 4, as the engine sees it; the same one at every call."""
    generator, weight = torch.Generator().manual_seed(1), base.norm.weight
    shape = base.config
    keys = shape.key_value_heads * shape.head_width
    stacked = {"qkv": [shape.heads * shape.head_width, keys, keys], "out": [shape.width]}
    factors = {
        f"blocks.{layer}.attention.{matrix}.weight": [
            Factors(*(torch.randn(size, generator=generator) / 8 for size in ((4, shape.width), (part, 4))))
            for part in parts
        ]
        for layer in range(shape.layers)
        for matrix, parts in stacked.items()
    }
    adapter = LowRank(factors, weight.device, weight.dtype)
    mask = torch.randn(shape.width, generator=generator).to(weight)
    causal = Causal(Adapted(base, adapter, mask), fingerprint="", snippets=1, canvas=32)
    return CausalInfilling(causal, TextTokenizer(Tokenizer(models.BPE()), {}))


def _family(shape: TransformerConfig) -> Family:
    return Family(
        name="Dream",
        layout=QWEN,
        transformer=shape,
        positions=8192,
        shifted=True,
        mask=MASK,
        delete=None,
        expand=None,
        begin=1,
        end=2,
    )


def milliseconds(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Return the median time of a call until the device is done with it, after two that do not count."""
    taken = []
    for number in range(repeats + 2):
        _wait(device)
        began = time.perf_counter()
        run()
        _wait(device)
        if number >= 2:
            taken.append(1000 * (time.perf_counter() - began))
    return median(taken)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
