"""Weights on disk in eight bits: matrices in int8, each with what to multiply its rows by, in float32."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.network.quantization import quantized

SCALES = ".scales"
"""Behind a matrix's name, that of its scales."""


def compressed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what to store: every matrix in int8 with its scales, and the few other values in float32."""
    stored: dict[str, Tensor] = {}
    for name, value in weights.items():
        if value.ndim == 2:
            stored[name], stored[name + SCALES] = quantized(value)
        else:
            stored[name] = value.float()
    return stored


def restored(read: Callable[[str], Tensor], name: str) -> Tensor:
    """Return a stored tensor as the floating-point one it stands for; `read` returns what is stored under a name.

    Raises CheckpointError for scales that do not fit their matrix.
    """
    value = read(name)
    if value.dtype != torch.int8:
        return value
    scales = read(name + SCALES)
    if value.ndim != 2 or scales.shape != value.shape[:1]:
        raise CheckpointError(f"{name + SCALES} does not hold one scale for each row of {name}")
    return value * scales[:, None]
