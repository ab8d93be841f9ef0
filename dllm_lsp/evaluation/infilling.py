"""The evaluation command: how often the rest of a line is guessed, how surely, and how fast."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import get_args

import torch
from msgspec import json
from tqdm import tqdm

from dllm_lsp.engine.engine import Engine
from dllm_lsp.engine.loading import load_model
from dllm_lsp.evaluation.answers import Answer, ask
from dllm_lsp.evaluation.figures import figures, gates
from dllm_lsp.evaluation.holes import Kind, open_lines
from dllm_lsp.evaluation.options import add_engine_options, positive
from dllm_lsp.evaluation.sources import read_sources
from dllm_lsp.evaluation.tables import figures_table, gates_table
from dllm_lsp.models.checkpoint import CheckpointError, resolve
from dllm_lsp.settings import Effort
from dllm_lsp.worker.messages import Limits


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (the process's own by default); end with a message on bad input."""
    options = _parser().parse_args(arguments)
    try:
        answers = _answers(options)
    except (OSError, ValueError, CheckpointError) as error:
        raise SystemExit(f"evaluate: {error}") from error
    columns = {"all": figures(answers)}
    for kind in get_args(Kind):
        if of_kind := [answer for answer in answers if answer.kind == kind]:
            columns[kind] = figures(of_kind)
    curve = gates(answers)
    if options.json:
        report = {"figures": columns, "gates": curve, "answers": answers}
        options.json.write_bytes(json.format(json.encode(report)) + b"\n")
    print(f"{figures_table(columns)}\n\n{gates_table(curve)}")


def _answers(options: argparse.Namespace) -> list[Answer]:
    """Ask at all places. No wall-clock limit, so that the answers do not depend on the machine."""
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    places = open_lines(read_sources(options.source), options.seed)
    model, tokenizer = load_model(resolve(options.model), device)
    engine = Engine(model, tokenizer, options.model, device)
    limits = Limits(effort=options.effort, passes=options.passes, milliseconds=math.inf)
    bar = tqdm(islice(places, options.limit), total=options.limit, unit="place")
    return [ask(engine, tokenizer, place, limits) for place in bar]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evaluate",
        description="Take away the rest of lines, have the model write it again, and compare.",
        epilog="Use code that the model was not trained on.",
    )
    parser.add_argument("source", type=Path, help="a folder of Python files, or a corpus file (.jsonl)")
    add_engine_options(parser)
    parser.add_argument("--limit", type=positive, default=1000, metavar="N", help="places (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the places (default: 0)")
    parser.add_argument("--effort", choices=get_args(Effort), default=Limits().effort, help="default: medium")
    parser.add_argument("--passes", type=positive, default=Limits().passes, help="denoising steps at most")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and all answers there")
    return parser
