"""In which precision a network runs: as the user says, or as this machine gains from.

Knows which processors have which instructions. How a network is brought into a precision, `quantization.py` knows.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from dllm_lsp.models.network.quantization import PackedLinear
from dllm_lsp.models.network.transformer import Transformer

QUANTIZED = ("int8", "fp8")
"""Precisions of which the matrices alone are stored in fewer bits."""

GAIN = 1.6
"""How many times faster int8 must be on a CPU to be chosen unasked."""

_ROWS, _TRIALS = 16, 9

_CAPABILITIES = {"bf16": (8, 0), "int8": (8, 0), "fp8": (8, 9)}
"""Compute capabilities of NVIDIA GPUs."""


class PrecisionError(ValueError):
    """The user asks for a precision that the device cannot serve; the message says why."""


def check(precision: str, device: torch.device) -> None:
    """Raise PrecisionError if the device cannot compute in a precision; "auto" and "fp32" are possible everywhere."""
    reason = _lack(precision, device)
    if reason:
        raise PrecisionError(
            f'The setting "engine.precision" is "{precision}", which {device} cannot serve: {reason}. '
            'Set it to "auto" to have the best that it can.'
        )


def storage(precision: str, device: torch.device) -> torch.dtype:
    """Return the number format in which to load weights, and in which all that is not quantized is computed."""
    if precision == "fp32" or _lack("bf16", device) or (device.type == "cpu" and precision != "bf16"):
        return torch.float32
    return torch.bfloat16


def resolved(precision: str, device: torch.device, transformer: Transformer) -> str:
    """Return what "auto" means for a network on a device, and anything else as it is."""
    if precision != "auto":
        return precision
    if device.type != "cpu":
        return "fp32" if _lack("bf16", device) else "bf16"
    return "fp32" if _lack("int8", device) or int8_gain(transformer) < GAIN else "int8"


def int8_gain(transformer: Transformer) -> float:
    """Return how many times faster the linear layers of the first block are in int8 on this CPU, for a canvas."""
    layers = [module for module in transformer.blocks[0].modules() if isinstance(module, nn.Linear)]
    packed = [PackedLinear(layer.weight, layer.bias) for layer in layers]
    inputs = [torch.randn(_ROWS, layer.in_features) for layer in layers]
    taken: dict[str, list[float]] = {"fp32": [], "int8": []}
    for _ in range(_TRIALS):  # in turns, so that what else the machine does falls on both
        taken["fp32"].append(_seconds(layers, inputs))
        taken["int8"].append(_seconds(packed, inputs))
    return min(taken["fp32"]) / min(taken["int8"])


def _seconds(layers: list[nn.Linear] | list[PackedLinear], inputs: list[Tensor]) -> float:
    began = time.perf_counter()
    for layer, x in zip(layers, inputs, strict=True):
        layer(x)
    return time.perf_counter() - began


def _lack(precision: str, device: torch.device) -> str | None:
    """Return what the device lacks for a precision, None if nothing."""
    if device.type == "cuda":
        needed = _CAPABILITIES.get(precision, (0, 0))
        has = torch.cuda.get_device_capability(device)
        return (
            None
            if has >= needed
            else "compute capability {}.{} is needed, it has {}.{}".format(*needed, *has)
        )
    if precision == "fp8":
        return "only NVIDIA GPUs since Ada and Hopper can"
    if device.type != "cpu":
        return "only CPUs and NVIDIA GPUs can" if precision == "int8" else None
    if precision == "bf16" and not torch.cpu._is_avx512_bf16_supported():
        return "without instructions for it, which this processor lacks, it is slower than fp32"
    if precision == "int8" and set(torch.backends.quantized.supported_engines) <= {"none"}:
        return "this build of PyTorch has no int8 kernels"
    return None
