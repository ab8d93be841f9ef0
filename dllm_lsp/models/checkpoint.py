"""A model in a folder: `config.json`, `tokenizer.json` and `model.safetensors`.

Reading runs none of a checkpoint's own code. Weights may be stored in any floating-point type.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from msgspec import Struct, ValidationError, json
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from dllm_lsp.models.streams import StreamsConfig, StreamsModel
from dllm_lsp.models.tokenizer import Tokenizer

BUNDLED = Path(__file__).parent / "bundled"
"""The weights that ship with the package."""

_CONFIG, _TOKENIZER, _WEIGHTS = "config.json", "tokenizer.json", "model.safetensors"


class CheckpointError(Exception):
    """A folder holds no model that can be loaded; the message says what is wrong with which file."""


class CheckpointConfig(Struct, frozen=True, kw_only=True, tag_field="family", tag="streams"):
    """What `config.json` says; a family other than the bundled one is not supported."""

    model: StreamsConfig


class Checkpoint(NamedTuple):
    """A model ready to run, and its tokenizer."""

    model: StreamsModel
    tokenizer: Tokenizer


def resolve(model: str) -> Path:
    """Return the folder of a model as the settings name it: "bundled" or a path."""
    return BUNDLED if model == "bundled" else Path(model).expanduser()


def load_checkpoint(folder: Path, device: torch.device) -> Checkpoint:
    """Load the model onto a device, in float32 on a CPU and in bfloat16 elsewhere; raise CheckpointError."""
    _check_files(folder)
    config = _read_config(folder / _CONFIG)
    try:
        tokenizer = Tokenizer.load(folder / _TOKENIZER)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    if tokenizer.size > config.transformer.vocabulary:
        raise CheckpointError(
            f"{folder / _TOKENIZER} has {tokenizer.size} tokens, but {_CONFIG} a vocabulary of "
            f"{config.transformer.vocabulary}: the files do not belong together"
        )
    with torch.device("meta"):
        model = StreamsModel(config)
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    weights = _read_weights(folder / _WEIGHTS, dtype)
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:  # lists missing and unexpected names and wrong shapes
        raise CheckpointError(f"{folder / _WEIGHTS} does not fit {_CONFIG}: {error}") from error
    return Checkpoint(model.to(device).eval(), tokenizer)


def save_checkpoint(folder: Path, model: StreamsModel, tokenizer: Tokenizer, dtype: torch.dtype) -> None:
    """Write the three files, the weights as `dtype`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = CheckpointConfig(model=model.config)
    (folder / _CONFIG).write_bytes(json.format(json.encode(config)) + b"\n")
    tokenizer.save(folder / _TOKENIZER)
    weights = {
        name: value.detach().to("cpu", dtype).contiguous() for name, value in model.state_dict().items()
    }
    save_file(weights, folder / _WEIGHTS)


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise CheckpointError(
            f'there is no folder {folder}: set "model" to "bundled" or to a checkpoint\'s folder'
        )
    missing = [name for name in (_CONFIG, _TOKENIZER, _WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"the checkpoint in {folder} lacks {', '.join(missing)}")


def _read_config(path: Path) -> StreamsConfig:
    try:
        return json.decode(path.read_bytes(), type=CheckpointConfig).model
    except ValidationError as error:
        raise CheckpointError(
            f'{path} is not a configuration of the "streams" family, the only one supported: {error}'
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error


def _read_weights(path: Path, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    try:
        weights = {name: value.to(dtype) for name, value in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read, it may be truncated: {error}") from error
    broken = [name for name, value in weights.items() if not value.isfinite().all()]
    if broken:
        raise CheckpointError(f"{path} holds values that are not finite, in {', '.join(broken[:3])}")
    return weights
