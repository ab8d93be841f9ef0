"""From a run's state to the folder that the engine loads."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dllm_lsp.hub import BUNDLED
from dllm_lsp.training.architectures import trained
from dllm_lsp.training.config import read_architecture


def export(run: Path, target: Path, *, int8: bool = False) -> int:
    """Write the run's model to `target`, the weights in float16 or in int8; return its size in bytes.

    Raises OSError or ValueError if the run folder is not one.
    """
    trained(read_architecture(run)).export(run, target, int8=int8)
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
