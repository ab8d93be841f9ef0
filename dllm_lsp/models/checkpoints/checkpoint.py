"""A model in a folder: its configuration, its tokenizer and its weights, in safetensors of any floating-point type.

Reading runs none of a checkpoint's own code.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from msgspec import Struct, ValidationError, json
from safetensors.torch import save_file

from dllm_lsp.hub import BUNDLED
from dllm_lsp.hub import fetched as resolve
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.full import Bidirectional, load_bidirectional
from dllm_lsp.models.checkpoints.storage import compressed
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer, Tokenizer
from dllm_lsp.models.checkpoints.vocabulary import read_json
from dllm_lsp.models.checkpoints.weights import WEIGHTS, Place, WeightFiles
from dllm_lsp.models.streams.model import StreamsConfig, StreamsModel

__all__ = ["BUNDLED", "Checkpoint", "CheckpointError", "load_checkpoint", "resolve", "save_checkpoint"]

_CONFIG, _TOKENIZER = "config.json", "tokenizer.json"


class CheckpointConfig(Struct, frozen=True, kw_only=True, tag_field="family", tag="streams"):
    """What `config.json` says of a model of the bundled architecture."""

    model: StreamsConfig


class Checkpoint(NamedTuple):
    """A model ready to run, and its tokenizer."""

    model: StreamsModel | Bidirectional
    tokenizer: TextTokenizer


def load_checkpoint(folder: Path, device: torch.device, dtype: torch.dtype | None = None) -> Checkpoint:
    """Load the model onto a device; raise CheckpointError.

    `dtype` None is float32 on a CPU and bfloat16 elsewhere.
    """
    dtype = dtype or (torch.float32 if device.type == "cpu" else torch.bfloat16)
    if not folder.is_dir():
        raise CheckpointError(
            f'there is no folder {folder}: set "model" to "bundled" or to a checkpoint\'s folder'
        )
    if not (folder / _CONFIG).is_file():
        raise CheckpointError(f"the checkpoint in {folder} lacks {_CONFIG}")
    if "model_type" in read_json(folder / _CONFIG):
        return Checkpoint(*load_bidirectional(folder, device, dtype))
    return _load_streams(folder, device, dtype)


def _load_streams(folder: Path, device: torch.device, dtype: torch.dtype) -> Checkpoint:
    config, weights = _read_config(folder / _CONFIG), WeightFiles(folder)
    if not (folder / _TOKENIZER).is_file():
        raise CheckpointError(f"the checkpoint in {folder} lacks {_TOKENIZER}")
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
    weights.load(model, Place, device=device, dtype=dtype)
    return Checkpoint(model.eval(), tokenizer)


def save_checkpoint(folder: Path, model: StreamsModel, tokenizer: Tokenizer, dtype: torch.dtype) -> None:
    """Write the three files, the weights as `dtype`, which may be int8."""
    folder.mkdir(parents=True, exist_ok=True)
    config = CheckpointConfig(model=model.config)
    (folder / _CONFIG).write_bytes(json.format(json.encode(config)) + b"\n")
    tokenizer.save(folder / _TOKENIZER)
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    stored = (
        compressed(weights) if dtype is torch.int8 else {n: value.to(dtype) for n, value in weights.items()}
    )
    save_file(stored, folder / WEIGHTS)


def _read_config(path: Path) -> StreamsConfig:
    try:
        return json.decode(path.read_bytes(), type=CheckpointConfig).model
    except ValidationError as error:
        raise CheckpointError(
            f'{path} is not a configuration of the "streams" family, the only one supported: {error}'
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
