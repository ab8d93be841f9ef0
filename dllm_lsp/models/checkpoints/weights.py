"""Weights in safetensors files: read one tensor at a time into a module that was made for them.

Knows files, shards and number formats. Which tensor belongs where, its caller tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from msgspec import MsgspecError, Struct, json
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.storage import SCALES, restored

WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"


class Place(NamedTuple):
    """Where a stored tensor belongs: all of a parameter, or `rows` of it from `start`."""

    parameter: str
    start: int = 0
    rows: int | None = None

    def of(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Return this part of `parameters`."""
        value = parameters[self.parameter]
        return value if self.rows is None else value[self.start : self.start + self.rows]


class _Index(Struct):
    weight_map: dict[str, str]


class _WithoutValues(TorchFunctionMode):
    """Has torch leave fresh parameters as they are: drawing values imports its compiler, which takes seconds."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        is_drawing = getattr(func, "__module__", None) == "torch.nn.init"
        return given.get("tensor") if is_drawing else func(*args, **given)


@contextmanager
def unfilled() -> Iterator[None]:
    """Have modules made without memory and values, for `WeightFiles.load` to fill."""
    with torch.device("meta"), _WithoutValues():
        yield


class WeightFiles:
    """The tensors in a folder: one file, or shards with an index. Before `load`, only their headers are read."""

    def __init__(self, folder: Path) -> None:
        """Raise CheckpointError for files that are missing, truncated or contradict their index."""
        self.folder = folder
        self._shards = _shards(folder)
        self.shapes: dict[str, tuple[int, ...]] = {}
        for path, expected in self._shards.items():
            shapes = shapes_in(path)
            if absent := sorted(expected - shapes.keys()):
                raise CheckpointError(f"{path} lacks {absent[0]}, which {_INDEX} says it holds")
            self.shapes |= shapes

    def load(
        self,
        module: nn.Module,
        place: Callable[[str], Place | None],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """Fill a module that was made `unfilled`; `place` is None for a tensor that belongs nowhere.

        Beside the module, one tensor at a time is in memory. Raises CheckpointError if names or shapes do not fit,
        memory does not suffice, or a value is not finite.
        """
        meant = module.state_dict()
        places = {name: place(name) for name in self.shapes}
        if problems := list(mismatches(meant, places, self.shapes)):
            raise CheckpointError(f"{self.folder / WEIGHTS} does not fit config.json: {'; '.join(problems)}")
        size = dtype.itemsize * sum(value.numel() for value in meant.values())
        try:
            # Not `to_empty`, which imports an algebra system.
            values = {
                name: torch.empty(value.shape, dtype=dtype, device=device) for name, value in meant.items()
            }
            self._fill(values, places)
            module.load_state_dict(values, assign=True)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            raise CheckpointError(
                f"the weights in {self.folder} take {size / 1e9:.1f} GB, more than is free on {device}: choose a "
                "smaller model or another device, or close what else uses it"
            ) from error

    def _fill(self, parameters: Mapping[str, Tensor], places: Mapping[str, Place | None]) -> None:
        for path in self._shards:
            with opened(path) as file:
                for name in filter(places.__contains__, file.keys()):
                    where = places[name]
                    assert where is not None, "checked before"
                    part = where.of(parameters)
                    try:
                        part.copy_(restored(file.get_tensor, name))
                    except SafetensorError as error:
                        raise CheckpointError(f"{path} cannot be read: {error}") from error
                    if not _is_finite(part):
                        raise CheckpointError(f"{path} holds values that are not finite, in {name}")


def _shards(folder: Path) -> dict[Path, set[str]]:
    """Return every file of weights, and the tensors that an index says it holds."""
    index = folder / _INDEX
    if not index.is_file():
        if not (folder / WEIGHTS).is_file():
            pickles = any(folder.glob("*.bin")) or any(folder.glob("*.pt*"))
            why = "; it has pickled weights, which are never opened, since they can run code" * pickles
            raise CheckpointError(f"the checkpoint in {folder} lacks {WEIGHTS}{why}")
        return {folder / WEIGHTS: set()}
    try:
        entries = json.decode(index.read_bytes(), type=_Index).weight_map
    except (MsgspecError, UnicodeDecodeError, OSError) as error:
        raise CheckpointError(f"{index} is not an index of weights: {error}") from error
    shards: dict[Path, set[str]] = defaultdict(set)
    for name, shard in sorted(entries.items(), key=lambda entry: entry[1]):
        shards[folder / Path(shard).name].add(name)
    missing = [path.name for path in shards if not path.is_file()]
    if missing or not shards:
        raise CheckpointError(
            f"the checkpoint in {folder} lacks {', '.join(missing) or 'weights'}: its download is incomplete"
        )
    return shards


def opened(path: Path) -> safe_open:
    """Open a file of tensors; raise CheckpointError."""
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read, it may be truncated: {error}") from error


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors in a file, of which the header alone is read; raise CheckpointError."""
    with opened(path) as file:
        names = [name for name in file.keys() if not name.endswith(SCALES)]  # noqa: SIM118
        return {name: tuple(file.get_slice(name).get_shape()) for name in names}


def mismatches(
    parameters: Mapping[str, Tensor],
    places: Mapping[str, Place | None],
    shapes: Mapping[str, tuple[int, ...]],
) -> list[str]:
    """Return what does not fit, each in words: missing, unexpected and wrongly shaped tensors, three at most."""
    found = []
    unfilled = {name: len(value) for name, value in parameters.items()}
    for name, where in places.items():
        if where is None or where.parameter not in parameters:
            found.append(f"{name} is unexpected")
            continue
        part = where.of(parameters)
        unfilled[where.parameter] -= len(part)
        if part.shape != shapes[name]:
            is_, must = ("x".join(map(str, shape)) for shape in (shapes[name], part.shape))
            found.append(f"{name} is {is_}, but must be {must}")
    found += [f"{name} is missing" for name, rows in unfilled.items() if rows > 0]
    return found[:3] + [f"and {len(found) - 3} more"] * (len(found) > 3)


def _is_finite(values: Tensor) -> bool:
    """Whether all values are finite. Their sum tells, unless it overflows, several times as fast."""
    return bool(values.sum().isfinite() or values.isfinite().all())


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory did not suffice; the CPU's allocator says so in an ordinary RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
