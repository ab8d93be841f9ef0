"""How long a pass over a canvas takes, next to reading the weights once, and next to the same loop without any of this.

The naive loop is transformers' own Qwen2, made bidirectional, run over everything at every step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from bench.gpu_model import MASK, Scale, dream, milliseconds, served
from dllm_lsp.engine.adapters.full import BidirectionalInfilling, Refresh
from dllm_lsp.models.network.pool import Room
from dllm_lsp.models.network.transformer import Transformer, TransformerConfig

Row = dict[str, object]

PRECISIONS = ("bf16", "int8", "fp8")

PER_PASS = (1, 2, 3)
"""Tokens that are accepted in a pass."""

SUGGESTIONS = 3


@torch.inference_mode()
def floor(scale: Scale) -> list[Row]:
    """Return how fast the device reads its memory, and how long it so takes to read what one pass needs of a model."""
    rows: list[Row] = []
    bandwidth = _bandwidth(scale)
    for precision in PRECISIONS:
        _release(scale.device)
        model = dream(scale.shape, scale.device, precision)
        read = _read_bytes(model.transformer)
        rows.append(
            {
                "precision": precision,
                "GB read in a pass": read / 1e9,
                "GB/s": bandwidth / 1e9,
                "ms": 1000 * read / bandwidth,
                "GB of weights": _bytes(model.transformer) / 1e9,
            }
        )
        del model
    return rows


def steps(scale: Scale) -> Iterator[Row]:
    """Yield the milliseconds of a pass over a canvas whose context is cached, kernel by kernel and captured."""
    for precision in PRECISIONS:
        yield from _of_precision(scale, precision, lambda transformer: None)


def compiled(scale: Scale) -> Iterator[Row]:
    """Yield the same in bf16 with the blocks compiled; on a CPU they are only traced."""
    backend = "inductor" if scale.device.type == "cuda" else "eager"

    def compile_blocks(transformer: Transformer) -> None:
        for block in transformer.blocks:
            block.compile(backend=backend)

    yield from _of_precision(scale, "bf16", compile_blocks)


def naive(scale: Scale) -> Iterator[Row]:
    """Yield the milliseconds of a step of transformers' Qwen2, made bidirectional, over context and canvas."""
    _release(scale.device)
    model = _qwen(scale.shape, scale.device)
    for context in scale.contexts:
        for canvas in scale.canvases:
            ids = _random_ids(scale, 1, context + canvas)
            everything = torch.zeros(
                1, 1, context + canvas, context + canvas, dtype=_dtype(scale.device), device=scale.device
            )

            @torch.inference_mode()
            def step(ids: Tensor = ids, everything: Tensor = everything) -> Tensor:
                logits: Tensor = model(input_ids=ids, attention_mask=everything, use_cache=False).logits
                return logits.max(-1).indices

            yield {
                "context": context,
                "canvas": canvas,
                "ms": milliseconds(step, scale.device, scale.repeats),
            }


class Task(NamedTuple):
    """A suggestion to write: tokens of context and canvas, and how many are accepted in a pass."""

    context: int
    canvas: int
    per_pass: int


def suggestions(scale: Scale) -> Iterator[Row]:
    """Yield tokens a second of whole suggestions, encoding the context included, with and without its refreshes."""
    context, canvas = scale.contexts[len(scale.contexts) // 2], scale.canvases[len(scale.canvases) // 2]
    for precision in PRECISIONS:
        _release(scale.device)
        model = dream(scale.shape, scale.device, precision)
        for refresh in (Refresh(), Refresh(every=canvas + 1)):
            network = served(model, refresh)
            for per_pass in PER_PASS:
                task = Task(context, canvas, per_pass)
                _suggest(network, task, scale)  # captures
                seconds = median(_suggest(network, task, scale) for _ in range(SUGGESTIONS))
                yield {
                    "precision": precision,
                    "tokens a pass": per_pass,
                    "context encoded every": f"{refresh.every} passes",
                    "context": context,
                    "canvas": canvas,
                    "tokens/s": canvas / seconds,
                }
        del model, network


@torch.inference_mode()
def _suggest(network: BidirectionalInfilling, task: Task, scale: Scale) -> float:
    """Return the seconds that a suggestion takes."""
    text = torch.randint(4, scale.shape.vocabulary, (task.context,)).tolist()
    began = time.perf_counter()
    context = network.context("python")
    context.become(text[: task.context * 2 // 3], text[task.context * 2 // 3 :])
    ids = torch.full((task.canvas,), MASK, device=scale.device)
    with network.surroundings(context, task.canvas) as around:
        for start in range(0, task.canvas, task.per_pass):
            [logits] = network.denoise([ids], [around])
            best = logits.float().softmax(-1).max(-1).indices
            ids[start : start + task.per_pass] = best[start : start + task.per_pass]
            bool((ids == MASK).any())  # as the engine asks after every step whether it is done
    return time.perf_counter() - began


def _of_precision(scale: Scale, precision: str, prepare: Callable[[Transformer], None]) -> Iterator[Row]:
    _release(scale.device)
    transformer = dream(scale.shape, scale.device, precision).transformer
    prepare(transformer)
    least = 1000 * _read_bytes(transformer) / _bandwidth(scale)
    for context in scale.contexts:
        room = Room(transformer, context + max(scale.canvases))
        for canvas in scale.canvases:
            inputs = _inputs(scale, context, canvas)
            times = {}
            for name, run in (("kernel by kernel: ms", room.run), ("ms", room.captured)):

                @torch.inference_mode()
                def step(run: Callable[..., Tensor] = run, inputs: tuple[Tensor, ...] = inputs) -> Tensor:
                    return run(*inputs).max(-1).indices

                times[name] = milliseconds(step, scale.device, scale.repeats)
            row = {"precision": precision, "context": context, "canvas": canvas, **times}
            yield {**row, "times reading the weights": times["ms"] / least}


def _inputs(scale: Scale, context: int, canvas: int) -> tuple[Tensor, ...]:
    """Return what `Room.run` is given for a pass over a canvas behind a context."""
    ids = _random_ids(scale, 1, canvas)[0]
    wanted = torch.arange(canvas, device=scale.device)
    columns = context + wanted
    return ids, columns, columns, torch.tensor([context + canvas], device=scale.device), wanted


def _bandwidth(scale: Scale) -> float:
    """Return bytes a second that the device reads at best: summing, or copying, which reads and writes."""
    size = 4_000_000_000 if scale.device.type == "cuda" else 40_000_000
    source = torch.empty(size // 4, device=scale.device).normal_()
    target = torch.empty_like(source)
    summed = milliseconds(source.sum, scale.device, scale.repeats)
    copied = milliseconds(lambda: target.copy_(source), scale.device, scale.repeats)
    return 1000 * max(size / summed, 2 * size / copied)


def _read_bytes(transformer: Transformer) -> int:
    """Return the bytes of weights that a pass reads: all but the table of embeddings."""
    return _bytes(transformer) - sum(x.nbytes for x in _tensors(transformer.embedding))


def _bytes(transformer: Transformer) -> int:
    return sum(x.nbytes for x in _tensors(transformer))


def _tensors(module: torch.nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _qwen(shape: TransformerConfig, device: torch.device) -> torch.nn.Module:
    from transformers import Qwen2Config, Qwen2ForCausalLM  # noqa: PLC0415 - it takes seconds to import
    from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding  # noqa: PLC0415

    config = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=8192,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        empty: torch.nn.Module = Qwen2ForCausalLM(config)
    model = empty.to(_dtype(device)).to_empty(device=device).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.normal_(std=0.02)
    # The frequencies of its rotary embedding are no parameters, and have no values yet.
    model.get_submodule("model").rotary_emb = Qwen2RotaryEmbedding(config).to(device)
    return model


def _random_ids(scale: Scale, rows: int, length: int) -> Tensor:
    return torch.randint(4, scale.shape.vocabulary, (rows, length), device=scale.device)


def _dtype(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "cpu" else torch.bfloat16


def _release(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
