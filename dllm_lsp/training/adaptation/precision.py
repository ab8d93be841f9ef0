"""The type that matrix products of a training run use, and the processor that it was chosen for."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import NamedTuple

import torch

_CPUINFO = Path("/proc/cpuinfo")
_FAST = ("amx_bf16", "avx512_bf16")


class Precision(NamedTuple):
    """A type of numbers, and why: the device or the processor's instructions, for people to read."""

    dtype: torch.dtype
    reason: str


def training_precision(device: torch.device, cpuinfo: Path = _CPUINFO) -> Precision:
    """Return bfloat16 where products in it are fast (GPUs, AMX, AVX-512-BF16), float32 elsewhere."""
    if device.type == "cuda":
        return Precision(torch.bfloat16, torch.cuda.get_device_name(device))
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    known = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    known = {key.strip(): value.strip() for key, value in known.items()}
    name = known.get("model name") or platform.processor() or platform.machine()
    for flag in _FAST:
        if flag in known.get("flags", "").split():
            return Precision(torch.bfloat16, f"{name} with {flag}")
    return Precision(torch.float32, f"{name} without fast bfloat16")
