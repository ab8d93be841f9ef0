"""How much of a machine a run uses: tokens a second, and the share of the fastest matrix product seen on the device."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.batches import Batch

_REPEATS = 5


class Rates(NamedTuple):
    """Tokens of text a second, and model FLOPs utilization (Chowdhery et al. 2022, arXiv:2204.02311), 0 to 1."""

    tokens: float
    utilization: float


class Meter:
    """Counts what a run computes; the copy head, which is small, is left out."""

    def __init__(self, model: StreamsModel, device: torch.device) -> None:
        self.peak = matrix_peak(device)
        shape = model.config.transformer
        blocks = sum(p.numel() for p in model.transformer.blocks.parameters() if p.ndim == 2)
        self._position = 6 * (
            blocks + shape.width**2
        )  # a product and its two gradients; the glance at a neighbor
        self._pair = 12 * shape.layers * shape.heads * shape.head_width
        self._row = 6 * shape.vocabulary * shape.width
        self.start()

    def start(self) -> None:
        """Count from now on."""
        self._began, self._tokens, self._operations = time.monotonic(), 0, 0

    def count(self, batch: Batch) -> None:
        """Count a batch that lies on the CPU."""
        documents, entries = batch.before.shape
        canvas = batch.canvas.shape[2]
        tokens = int(batch.lengths.sum()) - documents
        self._tokens += tokens
        pairs = documents * entries * (entries + 1) + canvas * int(
            batch.visible.sum() + batch.canvas_lengths.sum()
        )
        rows = 2 * tokens + int((batch.weights > 0).sum())
        positions = documents * (2 * entries) + batch.canvas.numel()
        self._operations += self._position * positions + self._pair * pairs + self._row * rows

    def rates(self) -> Rates:
        """Return the means since the start."""
        seconds = time.monotonic() - self._began
        return Rates(self._tokens / seconds, self._operations / seconds / self.peak)


def matrix_peak(device: torch.device) -> float:
    """Return the operations a second of a large square product, in the type that the device trains in."""
    is_gpu = device.type == "cuda"
    size, dtype = (8192, torch.bfloat16) if is_gpu else (1024, torch.float32)
    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in "ab")
    best = float("inf")
    for _ in range(_REPEATS):
        began = time.perf_counter()
        product = one @ other
        product[0, 0].item()  # waits for the device
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best
