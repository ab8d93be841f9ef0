"""A checkpoint of the bundled architecture, read and written: `config.json`, `tokenizer.json` and the weights."""

from __future__ import annotations

from pathlib import Path

import torch
from msgspec import Struct, ValidationError, json
from safetensors.torch import save_file

from dllm_lsp.fingerprints import fingerprint_of_weights
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.storage import compressed
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.checkpoints.weights import WEIGHTS, Place, WeightFiles, unfilled
from dllm_lsp.models.streams.model import StreamsConfig, StreamsModel

_CONFIG, _TOKENIZER = "config.json", "tokenizer.json"


class _Config(Struct, frozen=True, kw_only=True, tag_field="family", tag=StreamsModel.architecture):
    """What `config.json` says; of the weights their fingerprint, which folders written long ago lack."""

    model: StreamsConfig
    fingerprint: str = ""


def load_streams(folder: Path, device: torch.device, dtype: torch.dtype) -> tuple[StreamsModel, Tokenizer]:
    """Load the network onto a device, in a precision; raise CheckpointError."""
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
    with unfilled():
        model = StreamsModel(config)
    weights.load(model, Place, device=device, dtype=dtype)
    return model.eval(), tokenizer


def save_streams(folder: Path, model: StreamsModel, tokenizer: Tokenizer, dtype: torch.dtype) -> None:
    """Write the three files, the weights as `dtype`, which may be int8, and their fingerprint."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / _TOKENIZER)
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    stored = (
        compressed(weights) if dtype is torch.int8 else {n: value.to(dtype) for n, value in weights.items()}
    )
    save_file(stored, folder / WEIGHTS)
    config = _Config(model=model.config, fingerprint=fingerprint_of_weights(folder))
    (folder / _CONFIG).write_bytes(json.format(json.encode(config)) + b"\n")


def _read_config(path: Path) -> StreamsConfig:
    try:
        return json.decode(path.read_bytes(), type=_Config).model
    except ValidationError as error:
        raise CheckpointError(
            f'{path} is not a configuration of the "{StreamsModel.architecture}" family: {error}'
        ) from error
