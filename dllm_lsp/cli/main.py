"""Arguments, settings from them, and exit statuses: 0 for success, 1 for failure, 2 for wrong usage.

What a command needs is imported when it runs, so that the server starts in a moment.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence

import msgspec

from dllm_lsp import __version__
from dllm_lsp.cli.errors import CommandError, in_words
from dllm_lsp.cli.evaluate import add_eval, check, evaluate
from dllm_lsp.cli.location import Location
from dllm_lsp.cli.models import add_models, have, models
from dllm_lsp.cli.train import add_train, train
from dllm_lsp.settings import Settings
from dllm_lsp.settings_reader import merged

_DESCRIPTION = """\
Writes code into the middle of code, with a diffusion language model on this machine.

Editors start `dllm-lsp --stdio`. The commands are for people."""

_EXAMPLES = """\
examples:
  dllm-lsp complete src/app.py:12:20          what would be suggested at line 12, column 20
  dllm-lsp complete src/app.py:12:20 --trace  watch it being denoised
  dllm-lsp models                             which models to use instead of the one in the package
  dllm-lsp doctor                             what was found on this machine, and what to do about it
  dllm-lsp train --repo .                     learn the code that you work on; nothing leaves this machine
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (the process's own by default) and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    settings = _settings(parser, options)
    try:
        return _run(parser, options, settings)
    except (CommandError, OSError) as error:
        print(f"dllm-lsp: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace, settings: Settings) -> int:
    if options.command is not None:
        return _COMMANDS[options.command](options, settings)
    if options.stdio or options.tcp:
        from dllm_lsp.server import run  # noqa: PLC0415

        return run(settings, tcp=options.tcp)
    parser.print_help(sys.stderr)
    return 2


def _complete(options: argparse.Namespace, settings: Settings) -> int:
    from dllm_lsp.cli.complete import complete  # noqa: PLC0415

    have(settings.model)
    return complete(options.location, settings, as_json=options.json, trace=options.trace)


def _doctor(options: argparse.Namespace, settings: Settings) -> int:
    from dllm_lsp.cli.doctor import doctor  # noqa: PLC0415

    return doctor(settings)


def _evaluate(options: argparse.Namespace, settings: Settings) -> int:
    check(options)
    have(settings.model)
    return evaluate(options, settings)


_COMMANDS: dict[str, Callable[[argparse.Namespace, Settings], int]] = {
    "complete": _complete,
    "doctor": _doctor,
    "eval": _evaluate,
    "models": models,
    "train": train,
}


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "dllm-lsp",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=formatter,
        parents=[_common("settings")],
    )
    parser.add_argument("--version", action="version", version=f"dllm-lsp {__version__}")
    transport = parser.add_mutually_exclusive_group()
    transport.add_argument(
        "--stdio", action="store_true", help="serve an editor on standard input and output"
    )
    transport.add_argument(
        "--tcp", type=_address, metavar="[HOST:]PORT", help="serve editors over TCP (host: 127.0.0.1)"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    common = _common("command_settings")
    complete = commands.add_parser(
        "complete",
        help="print what would be suggested at a place in a file",
        parents=[common],
        description="Print what would be suggested at a place in a file; nothing if nothing would be.",
    )
    complete.add_argument("location", type=Location.parse, metavar="FILE:LINE:COLUMN", help="counted from 1")
    output = complete.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the text and its figures as JSON")
    output.add_argument("--trace", action="store_true", help="show the canvas after every denoising step")
    commands.add_parser(
        "doctor",
        help="say what was found on this machine, and what to do about what is wrong",
        parents=[common],
        description="Say what was found on this machine, and what to do about what is wrong.",
    )
    add_models(commands, common)
    add_train(commands, common)
    add_eval(commands, common)
    return parser


def _common(name: str) -> argparse.ArgumentParser:
    """Return the options that may stand before a command and behind it; a name of its own for each place."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--model",
        action="append",
        dest=name,
        default=[],
        type=_model_setting,
        metavar="MODEL",
        help='a folder with a checkpoint, or OWNER/NAME on the Hugging Face hub (default: "auto", the best one here)',
    )
    common.add_argument(
        "--set",
        action="append",
        dest=name,
        default=[],
        metavar="KEY=VALUE",
        help="a setting, as suggest.confidence=0.5; may be repeated",
    )
    return common


def _model_setting(folder: str) -> str:
    return f"model={json.dumps(folder)}"


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not [HOST:]PORT with a port up to 65535")
    return host.strip("[]") or "127.0.0.1", int(port)


def _settings(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Settings:
    """Return the defaults with what the command line sets; end with usage on a bad setting."""
    settings = Settings()
    for pair in [*options.settings, *getattr(options, "command_settings", [])]:
        key, equals, value = pair.partition("=")
        if not equals:
            parser.error(f"{pair!r} is not KEY=VALUE, as in suggest.confidence=0.5")
        settings, problems = merged(settings, {key: _value(value)})
        if problems:
            parser.error(f"{problems[0].reason}.")
    return settings


def _value(text: str) -> object:
    """Return what a text is as JSON, if it is any, else the text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
