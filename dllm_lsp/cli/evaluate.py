"""`dllm-lsp eval`: how good the model's code is, on benchmarks and on anybody's code.

What runs a model is imported when a command runs.
"""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from dllm_lsp.cli.errors import CommandError
from dllm_lsp.languages.known import KNOWN, PYTHON
from dllm_lsp.settings import Effort, Settings

_KINDS = ("rest-of-line", "line", "block", "argument")
_HOLES = 1000
_TEXTS = 40

EXTRA = ("psutil", "rapidfuzz")
"""The modules of the extra `eval`."""


def add_eval(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command, and its own commands, to the command line."""
    evaluation = commands.add_parser(
        "eval",
        help="measure how good the model's code is",
        description="Measure how good the model's code is. Use code that the model was not trained on. "
        "Needs the extra: pip install 'dllm-lsp[eval]'.",
    )
    what = evaluation.add_subparsers(dest="evaluation", metavar="WHAT", required=True)

    def add(name: str, help_: str, path: str) -> argparse.ArgumentParser:
        description = f"{help_[0].upper()}{help_[1:]}."
        parser = what.add_parser(name, help=help_, description=description, parents=[common])
        parser.add_argument("path", type=Path, metavar=path)
        parser.add_argument("--limit", type=_positive, metavar="N", help="cases at most")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and all answers there")
        return parser  # type: ignore[no-any-return]

    human_eval = add("human-eval-infilling", "functions with a hole, and programs that test them", "FILE")
    repair = add("repair", "programs with one wrong line: is it found, is it repaired (QuixBugs)", "FILE")
    holes = add("holes", "holes cut into any code: the files of a folder, or a corpus file", "PATH")
    _add_seed(holes, _HOLES)
    holes.add_argument(
        "--kind", action="append", choices=_KINDS, dest="kinds", help="may be repeated (default: all)"
    )
    _add_language(holes)
    calibrate = add("calibrate", "write into a checkpoint what its confidence is worth", "PATH")
    _add_seed(calibrate, _HOLES)
    _add_language(calibrate)
    calibrate.add_argument("--diagram", type=Path, metavar="FILE", help="draw what was found there, as SVG")
    typing = add("typing", "keys saved when a folder's files are typed through the server", "PATH")
    _add_seed(typing, _TEXTS)
    typing.add_argument("--words", action="store_true", help="suggestions are taken word by word, too")
    for parser in (human_eval, repair, holes, typing):
        _add_half(parser)
    for parser in (human_eval, repair, holes, calibrate):
        _add_engine(parser)


def check(options: argparse.Namespace) -> None:
    """Raise CommandError for what can be told before anything that takes seconds is imported."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise CommandError(f"eval needs {' and '.join(missing)}: pip install 'dllm-lsp[eval]'")
    if not options.path.exists():
        raise CommandError(f"there is no file or folder {options.path}")


def evaluate(options: argparse.Namespace, settings: Settings) -> int:
    """Run the command and return its exit status; raise CommandError on bad input."""
    # As the engine's process has it, before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from dllm_lsp.evaluation.command import run  # noqa: PLC0415
    from dllm_lsp.evaluation.language_server import ServerError  # noqa: PLC0415
    from dllm_lsp.models.checkpoints.errors import CheckpointError  # noqa: PLC0415

    try:
        run(options, settings)
    except (ValueError, CheckpointError, ServerError) as error:
        raise CommandError(str(error)) from error
    return 0


def _add_engine(parser: argparse.ArgumentParser) -> None:
    """Add how an engine in this process runs; a server's is told by the settings."""
    parser.add_argument("--threads", type=_positive, metavar="N", help="CPU threads (default: the product's)")
    parser.add_argument(
        "--effort",
        choices=get_args(Effort),
        default="medium",
        help="how hard the model tries (default: medium)",
    )


def _add_language(parser: argparse.ArgumentParser) -> None:
    names = [language.name for language in KNOWN if language.begin]
    parser.add_argument(
        "--language", choices=names, default=PYTHON.name, help="of the files that count (default: python)"
    )


def _add_half(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cases", choices=("even", "odd", "all"), default="all", help="by their index from 0 (default: all)"
    )


def _add_seed(parser: argparse.ArgumentParser, limit: int) -> None:
    """Add the seed of places that are drawn without end, and bound their number."""
    parser.set_defaults(limit=limit)
    parser.add_argument("--seed", type=int, default=0, help=f"of {limit} places, or --limit (default: 0)")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)
