"""Which architecture a checkpoint is of, as its `config.json` says, and how each is loaded.

An architecture is a module in each room that deals with it and a line in that room's registry: here, in
`engine/architectures.py`, and in `training/architectures.py` if it can be trained.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol

import torch
from msgspec import json

from dllm_lsp.models.checkpoints.causal import Causal, load_causal, load_prepared
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.families import SUPPORTED
from dllm_lsp.models.checkpoints.full import Bidirectional, load_bidirectional
from dllm_lsp.models.checkpoints.streams import load_streams
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer
from dllm_lsp.models.checkpoints.vocabulary import read_json
from dllm_lsp.models.network.transformer import Transformer
from dllm_lsp.models.streams.model import StreamsModel


class Network(Protocol):
    """What the networks of all architectures have. Only the modules of an architecture know the rest of its own."""

    architecture: ClassVar[str]
    """Its name in the registries."""

    @property
    def transformer(self) -> Transformer:
        """Where nearly all of its weights are."""
        ...

    def quantize(self, precision: str, device: torch.device) -> None:
        """Bring the network onto a device, with its matrices as "int8" or "fp8"."""
        ...


Load = Callable[[Path, torch.device, torch.dtype], tuple[Network, TextTokenizer]]
"""(folder, device, number format) to a network and its tokenizer; raises CheckpointError."""

LOADERS: dict[str, Load] = {
    StreamsModel.architecture: load_streams,
    Bidirectional.architecture: load_bidirectional,
    Causal.architecture: load_causal,
}

PREPARED: dict[str, Callable[[Path], tuple[Network, TextTokenizer] | None]] = {
    Causal.architecture: load_prepared,
}
"""Those of which what was quantized for a CPU is kept: a folder to a network in int8, None where none is kept."""

_CONFIG, _FAMILY, _PUBLISHED = "config.json", "family", "model_type"


def architecture_of(folder: Path) -> str:
    """Return the name of a checkpoint's architecture: its "family", or that of what others publish.

    Raises CheckpointError where there is no checkpoint, or one of an architecture that is not known here.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f'there is no folder {folder}: set "model" to "bundled" or to a checkpoint\'s folder'
        )
    path = folder / _CONFIG
    if not path.is_file():
        raise CheckpointError(f"the checkpoint in {folder} lacks {_CONFIG}")
    config = read_json(path)
    if _FAMILY in config:
        name, said = str(config[_FAMILY]), f'says "{_FAMILY}": {json.encode(config[_FAMILY]).decode()}'
    else:
        name = Bidirectional.architecture if _PUBLISHED in config else ""
        said = f'says neither "{_FAMILY}" nor "{_PUBLISHED}"'
    if name not in LOADERS:
        own = ", ".join(f'"{family}"' for family in LOADERS if family != Bidirectional.architecture)
        raise CheckpointError(
            f'{path} {said}. Supported are the "{_FAMILY}" {own} and the "{_PUBLISHED}" of: {SUPPORTED}'
        )
    return name
