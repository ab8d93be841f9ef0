"""What a run needs to go on where it was stopped: weights, the optimizers' memory and how far it has come.

One safetensors file, which is replaced whole; nothing is pickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

STATE = "state.safetensors"


def save_state(
    folder: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], progress: Mapping[str, float]
) -> None:
    """Write the state into a run's folder, replacing the last one."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{key}": value for key, value in state.items()}
    write_tensors(folder / STATE, tensors, progress)


def restore_state(
    folder: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], device: torch.device
) -> dict[str, float]:
    """Put a saved state back and return its progress; raise ValueError if it cannot be read."""
    tensors, progress = read_tensors(folder / STATE, device)
    model.load_state_dict(below(tensors, "model."))
    for number, optimizer in enumerate(optimizers):
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in below(tensors, f"optimizer.{number}.").items():
            index, key = name.split(".", 1)
            states.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
    return progress


def write_tensors(path: Path, tensors: Mapping[str, Tensor], numbers: Mapping[str, float]) -> None:
    """Write tensors and numbers, replacing the file whole."""
    new = path.with_suffix(".new")
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    save_file(contiguous, new, metadata={name: repr(value) for name, value in numbers.items()})
    os.replace(new, path)


def read_tensors(path: Path, device: torch.device) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Return a file's tensors and numbers; raise ValueError if they cannot be read."""
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, {name: float(value) for name, value in (file.metadata() or {}).items()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
