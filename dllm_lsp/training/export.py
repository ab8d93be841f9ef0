"""From a run's state to the folder that the engine loads."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from dllm_lsp.models.checkpoints.checkpoint import BUNDLED, save_checkpoint
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.streams.model import StreamsModel
from dllm_lsp.training.config import read_config
from dllm_lsp.training.state import STATE, below, read_tensors

MOST_BYTES = 40_000_000
"""Weights that would be larger in float16 are stored in int8."""


def export(run: Path, target: Path, *, int8: bool = False) -> int:
    """Write the run's model to `target`, the weights in float16 or in int8; return its size in bytes.

    Raises OSError or ValueError if the run folder is not one.
    """
    config = read_config(run)
    tensors, _ = read_tensors(run / STATE, torch.device("cpu"))
    model = StreamsModel(config.model)
    model.load_state_dict(below(tensors, "model."))
    is_large = sum(2 * parameter.numel() for parameter in model.parameters()) > MOST_BYTES
    dtype = torch.int8 if int8 or is_large else torch.float16
    save_checkpoint(target, model, Tokenizer.load(run / "tokenizer.json"), dtype)
    return sum(file.stat().st_size for file in target.iterdir() if file.is_file())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (the process's own by default); end with a message on bad input."""
    parser = argparse.ArgumentParser(prog="export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, metavar="FOLDER", help="what scripts/train made")
    parser.add_argument(
        "--to", type=Path, default=BUNDLED, metavar="FOLDER", help="default: the weights of this package"
    )
    parser.add_argument(
        "--int8", action="store_true", help="store weights in int8 even if float16 would take less than 40 MB"
    )
    options = parser.parse_args(arguments)
    try:
        size = export(options.run, options.to, int8=options.int8)
    except (OSError, ValueError) as error:
        raise SystemExit(f"export: {error}") from error
    print(f"{options.to}: {size / 1e6:.1f} MB")
