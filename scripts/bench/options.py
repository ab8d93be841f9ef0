"""Command-line options that the evaluation's commands share."""

from __future__ import annotations

import argparse

THREADS = (1, 2)
"""How many are tried."""


def positive(text: str) -> int:
    """Read a whole number from 1; raise ArgumentTypeError for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add `--model` and `--threads`."""
    parser.add_argument("--model", default="bundled", metavar="FOLDER", help="default: the bundled one")
    parser.add_argument(
        "--threads", type=positive, default=1, help="CPU threads (default: 1, as in the product)"
    )
