"""What a checkpoint's confidence is worth, kept in its `config.json` beside what describes the model."""

from __future__ import annotations

from pathlib import Path

from msgspec import ValidationError, convert, json, to_builtins

from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.vocabulary import read_json

_CONFIG, _KEY = "config.json", "calibration"


def read_calibration(folder: Path) -> Calibration | None:
    """Return the calibration of a checkpoint, None if it has none; raise CheckpointError for one that is damaged."""
    found = read_json(folder / _CONFIG).get(_KEY)
    try:
        return convert(found, Calibration | None)
    except ValidationError as error:
        raise CheckpointError(f'"{_KEY}" in {folder / _CONFIG} is damaged: {error}') from error


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write the calibration into a checkpoint; raise OSError where that is not allowed."""
    config = read_json(folder / _CONFIG) | {_KEY: to_builtins(calibration)}
    written = folder / f"{_CONFIG}.new"
    written.write_bytes(json.format(json.encode(config)) + b"\n")
    written.replace(folder / _CONFIG)  # at once, and in place of a link into a cache that others share
