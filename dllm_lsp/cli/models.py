"""`dllm-lsp models`: which models are known to work, and how to have one on this machine."""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

from dllm_lsp import hub
from dllm_lsp.cli.errors import CommandError
from dllm_lsp.cli.get import add_get, describe, get
from dllm_lsp.fetching.offers import OFFERS
from dllm_lsp.settings import Settings


class Known(NamedTuple):
    """A model that this version can serve; `billions` of parameters."""

    name: str
    billions: float
    licence: str
    good_at: str


KNOWN = (
    Known("Dream-org/DreamOn-v0-7B", 7.6, "Apache-2.0", "filling holes: finds their length itself"),
    Known("Dream-org/Dream-Coder-v0-Base-7B", 7.6, "Apache-2.0", "code in many languages"),
    Known("Dream-org/Dream-Coder-v0-Instruct-7B", 7.6, "Apache-2.0", "code, after instructions"),
    Known("apple/DiffuCoder-7B-Base", 7.6, "Apple's, see its card", "code in many languages"),
    Known("apple/DiffuCoder-7B-cpGRPO", 7.6, "Apple's, see its card", "code, after instructions"),
    Known("Dream-org/Dream-v0-Base-7B", 7.6, "Apache-2.0", "text and code"),
    Known("GSAI-ML/LLaDA-8B-Base", 8.0, "see its card", "text more than code"),
    Known("GSAI-ML/LLaDA-1.5", 8.0, "see its card", "text more than code"),
    Known("fredzzp/open-dcoder-0.5B", 0.5, "Apache-2.0", "code on a small GPU"),
    Known("dllm-hub/Qwen3-0.6B-diffusion-mdlm-v0.1", 0.6, "see its card", "trials on a small GPU"),
)


def add_models(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command and its own `get` and `download`."""
    description = "List the models that are known to work. Any other of their families does too."
    models = commands.add_parser(
        "models", help="list models to use, or get one", parents=[common], description=description
    )
    actions = models.add_subparsers(dest="action", metavar="ACTION")
    add_get(actions)
    download = actions.add_parser("download", help="download a model of the Hugging Face hub")
    download.add_argument("name", metavar="OWNER/NAME")


def models(options: argparse.Namespace, settings: Settings) -> int:
    """List models, or get the one that was named; raise CommandError."""
    if options.action == "get":
        return get(options)
    if options.action == "download":
        return _download(options.name)
    print("bundled\n    small, part of this package, Apache-2.0: Python, on any CPU")
    for offer in OFFERS.values():
        print(describe(offer))
    for known in KNOWN:
        here = ", on this machine" if hub.downloaded(known.name) else ""
        # Two bytes a parameter, and a gigabyte for what is kept of context and canvas.
        memory = f"{2 * known.billions + 1:.0f} GB of memory"
        print(f"{known.name}{here}")
        print(f"    {known.billions} billion parameters, {memory}, {known.licence}: {known.good_at}")
    print('\nTo use one: --model NAME, or the setting "model". docs/models.md says more.')
    return 0


def have(model: str) -> None:
    """Download a model of the hub that is not on this machine, with progress bars; raise CommandError."""
    try:
        hub.fetched(model)
    except (hub.HubError, ValueError) as error:
        raise CommandError(str(error)) from error


def _download(name: str) -> int:
    if not hub.is_hub_id(name):
        raise CommandError(f'"{name}" is a folder here, or no OWNER/NAME as on the Hugging Face hub')
    try:
        print(hub.download(name))
    except hub.HubError as error:
        raise CommandError(str(error)) from error
    return 0
