"""`dllm-lsp train`: fine-tunes the model on a user's own repository, or trains one on a gathered corpus.

What trains is imported when a command runs.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from dllm_lsp import hub
from dllm_lsp.cli.errors import CommandError
from dllm_lsp.settings import Settings
from dllm_lsp.wire.errors import EngineError

_EPILOG = """\
examples:
  dllm-lsp train --repo .                    ten minutes on the code you work on; nothing leaves this machine
  dllm-lsp train --repo . --forget           back to the model as it was
  dllm-lsp train --corpus corpus --run runs/first --preset base --seconds 3600
  dllm-lsp train --corpus corpus --run runs/adapter --base smollm2-135m --seconds 7200
"""


def add_train(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "train",
        help="fine-tune the model on your repository, or train one",
        description="Fine-tune the model on your own repository, or train one on a gathered corpus.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--repo", type=Path, metavar="FOLDER", help="fine-tune on this repository, for its own use"
    )
    what.add_argument("--corpus", type=Path, metavar="FOLDER", help="train on what scripts/corpus gathered")
    parser.add_argument(
        "--threads", type=_positive(int), metavar="N", help="CPU threads (default: PyTorch's choice)"
    )
    own = parser.add_argument_group("with --repo")
    own.add_argument(
        "--minutes",
        type=_positive(float),
        default=10.0,
        help="for everything, measuring included (default: 10)",
    )
    own.add_argument("--forget", action="store_true", help="go back to the model as it was")
    run = parser.add_argument_group("with --corpus")
    run.add_argument(
        "--run", type=Path, metavar="FOLDER", help="where the run lives; one that is there goes on"
    )
    run.add_argument(
        "--preset", default="small", help="shape of a new run: tiny, small (the default) or base"
    )
    run.add_argument(
        "--seconds",
        type=_positive(float),
        default=3600.0,
        help="wall-clock budget of a new run (default: 3600)",
    )
    run.add_argument(
        "--base",
        metavar="MODEL",
        help="train an adapter that makes this causal model an infiller: smollm2-135m, or a folder; --seconds then "
        "counts processor time, of all sessions of the run together",
    )
    run.add_argument("--from", dest="weights", type=Path, metavar="FOLDER", help="a model to start from")


def train(options: argparse.Namespace, settings: Settings) -> int:
    """Run the command and return its exit status; raise CommandError or OSError on bad input."""
    if options.corpus and options.run is None:
        raise CommandError("--corpus needs --run FOLDER: where the run shall live")
    if options.corpus and not options.corpus.is_dir():
        raise CommandError(f"there is no folder {options.corpus}")
    # Read when torch is imported; see the engine's process.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch  # noqa: PLC0415

    from dllm_lsp.models.checkpoints.errors import CheckpointError  # noqa: PLC0415

    torch.set_flush_denormal(True)  # a CPU takes many times as long for numbers next to zero
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        return _run(options, settings)
    except (ValueError, CheckpointError, EngineError, hub.HubError) as error:
        raise CommandError(str(error)) from error
    finally:
        torch.set_flush_denormal(False)


def _run(options: argparse.Namespace, settings: Settings) -> int:
    if options.repo:
        from dllm_lsp.cli.tune import forget, tune  # noqa: PLC0415

        return forget(options.repo) if options.forget else tune(options.repo, options.minutes, settings)
    if options.base:
        from dllm_lsp.training.adaptation.command import adapt  # noqa: PLC0415
        from dllm_lsp.training.adaptation.config import AdaptationConfig  # noqa: PLC0415

        adapt(
            hub.fetched(options.base), options.corpus, options.run, AdaptationConfig(seconds=options.seconds)
        )
        return 0
    from dllm_lsp.training import command  # noqa: PLC0415

    command.train(options.corpus, options.run, options.preset, options.seconds, options.weights)
    return 0


def _positive(number: type[int] | type[float]) -> Any:
    def parse(text: str) -> float:
        value = number(text)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
        return value

    parse.__name__ = number.__name__  # what argparse says that the text is not
    return parse
