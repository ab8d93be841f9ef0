"""Whether every path on a device gives what the CPU gives in float32: kernels, precisions, captured passes, caches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from bench.gpu_model import DREAM_TINY, MASK, Scale, adapted, dream, served
from dllm_lsp.engine.adapters.causal import CausalTokens
from dllm_lsp.engine.adapters.full import Refresh
from dllm_lsp.engine.loading import load_model
from dllm_lsp.hub import BUNDLED
from dllm_lsp.models.adapted.geometry import Kind, stream
from dllm_lsp.models.checkpoints.full import Bidirectional
from dllm_lsp.models.network.attention import Heads, disagreement, kernels
from dllm_lsp.models.network.pool import Room
from dllm_lsp.models.network.precision import QUANTIZED, PrecisionError, check
from dllm_lsp.models.network.quantization import quantize

MOST = {"fp32": 1e-3, "bf16": 0.05, "int8": 0.1, "fp8": 0.15}
"""How far logits may be from the CPU's in float32, relatively."""

Row = dict[str, object]

_CPU = torch.device("cpu")


def paths(scale: Scale) -> list[Row]:
    """Return a row for every path: its error, the most that is allowed, and whether it is within."""
    parts = (_kernels, _bundled, _dream, _adapted, _captured)
    return [row for part in parts for row in part(scale.device)]


def _row(path: str, error: Callable[[], float], most: float) -> Row:
    """Return a path's row; a path that fails is a row as well."""
    try:
        found = error()
    except Exception as problem:  # whatever goes wrong in one path, the others are still to be tried
        return {"path": path, "error": None, "most": most, "right": False, "problem": f"{problem!r:.300}"}
    return {"path": path, "error": found, "most": most, "right": found <= most, "problem": ""}


def _kernels(device: torch.device) -> Iterator[Row]:
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    for heads in (Heads(device, dtype, 28, 4, 128), Heads(device, dtype, 6, 6, 64)):
        for name, kernel in kernels(device, dtype):
            shape = f"{heads.heads} heads of {heads.width}"
            yield _row(f"attention: {name}, {shape}", partial(disagreement, kernel, heads), 0.02)


def _bundled(device: torch.device) -> Iterator[Row]:
    """Yield a row for the bundled model in every precision that the device has."""

    @torch.inference_mode()
    def logits(where: torch.device, precision: str) -> Tensor:
        model = load_model(BUNDLED, where, precision).model
        ids = torch.arange(100, 160).tolist()
        context = model.context("python")
        context.become(ids[:40], ids[40:])
        canvas = torch.full((12,), model.tokens.mask, device=where)
        with model.surroundings(context, 12) as around:
            found: Tensor = model.denoise([canvas], [around])[0]
            return found

    for precision, most in MOST.items():
        try:
            check(precision, device)
        except PrecisionError:
            continue

        def error(precision: str = precision) -> float:
            return _error(logits(device, precision), logits(_CPU, "fp32"))

        yield _row(f"bundled model, {precision}", error, most)


def _dream(device: torch.device) -> Iterator[Row]:
    """Yield rows for a small Dream: several passes, of which the later ones are on the canvas alone."""
    for precision, most in MOST.items():

        def error(precision: str = precision) -> float:
            expected = _passes(dream(DREAM_TINY, _CPU, "fp32"))
            return max(
                _error(*pair) for pair in zip(_passes(_small(precision, device)), expected, strict=True)
            )

        yield _row(f"small Dream, cached passes, {precision}", error, most)


def _small(precision: str, device: torch.device) -> Bidirectional:
    """Return the small Dream on a device, in a precision; its weights are those that the CPU draws."""
    model = dream(DREAM_TINY, _CPU, "fp32")
    if precision == "bf16" or (precision != "fp32" and device.type == "cuda"):
        model.transformer.to(torch.bfloat16)
    if precision in QUANTIZED:
        quantize(model.transformer, precision, device)
    model.transformer.to(device)
    return model


def _adapted(device: torch.device) -> Iterator[Row]:
    """Yield a row for a small adapted base in every precision: streams are read, and a canvas is written into them."""

    @torch.inference_mode()
    def logits(where: torch.device, precision: str) -> Tensor:
        model = adapted(_small(precision, where).transformer)
        ids = torch.arange(100, 160).tolist()
        below, rest, before = (stream(kind, ids[:40]) for kind in (Kind.BELOW, Kind.REST, Kind.BEFORE))
        tokens = CausalTokens([stream(Kind.SNIPPET, ids, 0)], below, rest, before, "")
        context = model.context("python")
        while model.encode(context, tokens, lambda: True):
            pass
        canvas = torch.full((12,), model.tokens.mask, device=where)
        canvas[0] = 70
        with model.surroundings(context, 12) as around:
            found: Tensor = model.denoise([canvas], [around])[0]
            return found

    for precision, most in MOST.items():
        error = partial(lambda p: _error(logits(device, p), logits(_CPU, "fp32")), precision)
        yield _row(f"small adapted base, {precision}", error, most)


@torch.inference_mode()
def _passes(model: Bidirectional) -> list[Tensor]:
    device = model.transformer.norm.weight.device
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(4, 500, (2, 200), generator=random)
    network = served(model, Refresh(every=100, change=100))
    contexts = [network.context("python") for _ in ids]
    contexts[0].become(ids[0, :90].tolist(), ids[0, 90:].tolist())
    contexts[1].become(ids[1, :20].tolist(), ids[1, 20:60].tolist())
    found: list[Tensor] = []
    for count in (1, 2):
        with ExitStack() as stack:
            around = [stack.enter_context(network.surroundings(each, 32)) for each in contexts[:count]]
            for lengths in pairwise((24, 24, 24, 20, 20)):
                written = torch.randint(4, 500, (count, 8), generator=random)
                canvases = [
                    torch.cat([begin, torch.full((length - 8,), MASK)]).to(device)
                    for begin, length in zip(written, lengths, strict=False)
                ]
                # A GPU's next pass may overwrite what this one gives.
                found += [logits.float().cpu() for logits in network.denoise(canvases, around)]
    return found


def _captured(device: torch.device) -> Iterator[Row]:
    """Yield a row for replayed passes against the same pass kernel by kernel."""

    @torch.inference_mode()
    def error() -> float:
        transformer = dream(DREAM_TINY, device, "bf16").transformer
        room = Room(transformer, 256)
        errors = []
        for number in range(3):
            ids = torch.arange(32, device=device) + number
            columns = 100 + torch.arange(32, device=device)
            inputs = (ids, columns, columns, torch.tensor([120 + number], device=device), columns - 100)
            expected = room.run(*inputs).clone()
            errors.append(_error(room.captured(*inputs), expected))
        return max(errors)

    yield _row("captured pass against the same, kernel by kernel", error, 1e-2)


def _error(found: Tensor, expected: Tensor) -> float:
    found, expected = found.float().cpu(), expected.float().cpu()
    visible = expected.isfinite() & (expected > -1e3)
    return float((found - expected)[visible].norm() / expected[visible].norm())
