"""How long a pass takes, next to the same network written plainly, and next to what it cannot do without.

Random weights. All take turns, so that whatever else the machine does falls on all alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from statistics import median

import torch
from torch import Tensor

from bench.naive import NaiveNetwork
from dllm_lsp.evaluation.tables import table
from dllm_lsp.models.network.quantization import PackedLinear, quantize
from dllm_lsp.models.network.transformer import TransformerConfig
from dllm_lsp.models.streams.encoded import AFTER, BEFORE, Streams
from dllm_lsp.models.streams.model import StreamsConfig, StreamsModel

CANVAS = 16
_NAIVE = "plain eager network, float32"


def pass_table(config: StreamsConfig, threads: Sequence[int], rounds: int) -> str:
    """Return a table of passes over a canvas between full streams, for numbers of threads."""
    columns = []
    with ExitStack() as stack:
        tried = _tried(config, stack)
        for count in threads:
            torch.set_num_threads(count)
            taken = in_turns(tried, rounds)
            columns.append([f"{time:.1f} ({time / taken[_NAIVE]:.2f})" for time in taken.values()])
    size, context = config.transformer.parameters / 1e6, config.before + config.after
    what = f"{size:.1f}M parameters, a pass over {CANVAS} tokens, {context} of context cached"
    header = [
        f"{what}: ms (over the first row)",
        *(f"{count} thread" + "s" * (count > 1) for count in threads),
    ]
    return table(header, [[name, *shown] for name, *shown in zip(tried, *columns, strict=True)])


@torch.inference_mode()
def in_turns(tried: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each; the first round does not count."""
    samples: dict[str, list[float]] = {name: [] for name in tried}
    for _ in range(rounds + 1):
        for name, run in tried.items():
            began = time.perf_counter()
            run()
            samples[name].append(1000 * (time.perf_counter() - began))
    return {name: median(taken[1:]) for name, taken in samples.items()}


@torch.inference_mode()
def _tried(config: StreamsConfig, stack: ExitStack) -> dict[str, Callable[[], object]]:
    shape = config.transformer
    ids = torch.zeros(1, CANVAS, dtype=torch.long)
    plain = {
        dtype: NaiveNetwork(shape, config.before + config.after).to(dtype)
        for dtype in (torch.float32, torch.bfloat16)
    }
    whole, small = StreamsModel(config).eval(), StreamsModel(config).eval()
    quantize(small, "int8", torch.device("cpu"))
    weights = torch.ones(shape.parameters // 4)  # as many bytes as the matrices have in int8
    return {
        _NAIVE: lambda: plain[torch.float32](ids),
        "the same, bfloat16": lambda: plain[torch.bfloat16](ids),
        "dllm-lsp, float32": _denoising(whole, ids[0], stack),
        "dllm-lsp, int8": _denoising(small, ids[0], stack),
        "its int8 matrices alone": _products(shape),
        "reading them once": weights.sum,
    }


def _denoising(model: StreamsModel, canvas: Tensor, stack: ExitStack) -> Callable[[], object]:
    config = model.config
    before, after = model.stream(config.before), model.stream(config.after)
    for role, stream in ((BEFORE, before), (AFTER, after)):
        ids = torch.randint(config.transformer.vocabulary, (stream.cache.capacity,))
        model.encode(ids, role, stream)
    around = stack.enter_context(model.surroundings(Streams(before, after), CANVAS))
    return lambda: model.denoise([canvas], [around])


def _products(shape: TransformerConfig) -> Callable[[], None]:
    """Return what multiplies matrices of the network's sizes in int8, one after the other, with something."""
    inner, groups = shape.heads * shape.head_width, shape.key_value_heads * shape.head_width
    block = [
        (inner + 2 * groups, shape.width),
        (shape.width, inner),
        (2 * shape.feed_forward, shape.width),
        (shape.width, shape.feed_forward),
    ]
    sizes = [*shape.layers * block, (shape.vocabulary, shape.width)]
    layers = [(PackedLinear(torch.randn(size), None), torch.randn(1, CANVAS, size[1])) for size in sizes]

    def multiply() -> None:
        for layer, x in layers:
            layer(x)

    return multiply
