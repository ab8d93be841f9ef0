"""What a checkpoint's confidence is worth in each language, kept in the file that describes its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import ValidationError, convert, json, to_builtins

from dllm_lsp.engine.architectures import SERVED
from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.models.checkpoints.architectures import architecture_of
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.vocabulary import read_json

_KEY = "calibration"


def read_calibration(folder: Path) -> dict[str, Calibration]:
    """Return a checkpoint's calibrations by the names of languages; raise CheckpointError for one that is damaged."""
    path = _record(folder)
    try:
        return convert(read_json(path).get(_KEY) or {}, dict[str, Calibration])
    except ValidationError as error:
        raise CheckpointError(f'"{_KEY}" in {path} is damaged: {error}') from error


def write_calibration(folder: Path, calibration: Mapping[str, Calibration]) -> None:
    """Write calibrations beside those of other languages; raise OSError where that is not allowed."""
    path = _record(folder)
    written = path.with_name(f"{path.name}.new")
    known = read_calibration(folder) | dict(calibration)
    written.write_bytes(json.format(json.encode(read_json(path) | {_KEY: to_builtins(known)})) + b"\n")
    written.replace(path)  # at once, and in place of a link into a cache that others share


def _record(folder: Path) -> Path:
    return SERVED[architecture_of(folder)].record(folder)
