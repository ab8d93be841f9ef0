"""From a run's state to the folder that the engine loads."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from dllm_lsp.models.checkpoint import BUNDLED, save_checkpoint
from dllm_lsp.models.streams import StreamsModel
from dllm_lsp.models.tokenizer import Tokenizer
from dllm_lsp.training.config import read_config
from dllm_lsp.training.state import STATE, below, read_tensors


def export(run: Path, target: Path) -> int:
    """Write the run's model to `target`, the weights in float16; return its size in bytes.

    Raises OSError or ValueError if the run folder is not one.
    """
    config = read_config(run)
    tensors, _ = read_tensors(run / STATE, torch.device("cpu"))
    model = StreamsModel(config.model)
    model.load_state_dict(below(tensors, "model."))
    save_checkpoint(target, model, Tokenizer.load(run / "tokenizer.json"), torch.float16)
    return sum(file.stat().st_size for file in target.iterdir() if file.is_file())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (the process's own by default); end with a message on bad input."""
    parser = argparse.ArgumentParser(prog="export", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, metavar="FOLDER", help="what scripts/train made")
    parser.add_argument(
        "--to", type=Path, default=BUNDLED, metavar="FOLDER", help="default: the weights of this package"
    )
    options = parser.parse_args(arguments)
    try:
        size = export(options.run, options.to)
    except (OSError, ValueError) as error:
        raise SystemExit(f"export: {error}") from error
    print(f"{options.to}: {size / 1e6:.1f} MB")
