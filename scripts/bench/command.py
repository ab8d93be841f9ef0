"""The benchmark command: passes, latency of a keystroke, time to start, memory."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import psutil
import torch
from numpy.typing import ArrayLike

from bench.keystrokes import OpenFile, keystrokes, open_file
from bench.latency import Samples, in_process, through_server
from bench.options import THREADS, add_engine_options, positive
from bench.passes import pass_table
from dllm_lsp.assist.autocomplete import limits_of
from dllm_lsp.engine.engine import Engine
from dllm_lsp.evaluation.language_server import COMMAND, LanguageServer, ServerError
from dllm_lsp.evaluation.tables import table
from dllm_lsp.hub import BUNDLED
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.streams import load_streams
from dllm_lsp.models.network.transformer import TransformerConfig
from dllm_lsp.settings import SuggestSettings

LINES = (100, 1_000, 10_000)
GATES = (SuggestSettings(), SuggestSettings(confidence=0.0))
"""As it is installed; and with everything shown, so that every text is written to its end."""

STARTS = 9
ROUNDS = 5
LARGER = TransformerConfig(vocabulary=16_384, width=384, layers=12, heads=6, feed_forward=1024)
"""A network ten times the size of the first that was bundled: what a laptop may still run."""


class Served(NamedTuple):
    """What the keystrokes took through a server, and its resident megabytes afterwards."""

    samples: dict[int, Samples]
    megabytes: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (the process's own by default); end with a message on bad input."""
    options = _parser().parse_args(arguments)
    keys = keystrokes(options.keystrokes)
    files = [open_file(lines, keys) for lines in LINES]
    machine = _machine()
    try:
        engine = Engine.load(options.model, "auto", options.threads)
        passes = list(_passes(BUNDLED))
        inside = [
            in_process(engine, files, keys, limits_of(settings, "line", engine.milliseconds))
            for settings in GATES
        ]
        with tempfile.TemporaryDirectory(prefix="dllm-", ignore_cleanup_errors=True) as runtime:
            environment = {**os.environ, "XDG_RUNTIME_DIR": runtime}  # no other client shares the engine
            starts = asyncio.run(_starts(environment))
            outside = [asyncio.run(_serve(options, environment, files, keys, gate)) for gate in GATES]
    except (OSError, ValueError, CheckpointError, ServerError) as error:
        raise SystemExit(f"bench: {error}") from error
    print("\n\n".join([*passes, _table(inside, outside, starts)]))
    print(f"\n{ROUNDS} rounds, their medians; {len(keys)} keystrokes a file; {machine}")


def _passes(bundled: Path) -> Iterator[str]:
    """Yield tables of passes, for the bundled network's shape and for a larger one's."""
    network, _ = load_streams(bundled, torch.device("cpu"), torch.float32)
    yield pass_table(network.config, THREADS, 4 * ROUNDS)
    larger = msgspec.structs.replace(network.config, transformer=LARGER, before=512, after=512)
    yield pass_table(larger, THREADS, 4 * ROUNDS)


async def _starts(environment: Mapping[str, str]) -> list[float]:
    """Return milliseconds from starting the process to the answer of `initialize`, before any engine is started."""
    taken = []
    for _ in range(STARTS):
        began = time.perf_counter()
        async with LanguageServer.started(COMMAND, environment) as server:
            await server.initialize({})
            taken.append(1000 * (time.perf_counter() - began))
    return taken


async def _serve(
    options: argparse.Namespace,
    environment: Mapping[str, str],
    files: Sequence[OpenFile],
    keys: Sequence[str],
    gate: SuggestSettings,
) -> Served:
    """Type through a server of its own."""
    settings = {
        "model": options.model,
        "engine": {"threads": options.threads, "linger": 1},
        "suggest": {"confidence": gate.confidence},
    }
    async with LanguageServer.started(COMMAND, environment) as server:
        await server.initialize(settings)
        await server.start_engine()
        samples = await through_server(server, files, keys)
        return Served(samples, psutil.Process(server.pid).memory_info().rss / 1e6)


def _table(
    inside: Sequence[Mapping[int, Samples]], outside: Sequence[Served], starts: Sequence[float]
) -> str:
    header = ["p50 / p95", *(f"{lines:,} lines" for lines in LINES), f"{LINES[-1]:,} to {LINES[0]:,} (p50)"]
    rows = []
    for gate, process, server in zip(GATES, inside, outside, strict=True):
        at = f"gate {gate.confidence}: "
        rows += [
            [f"{at}keystroke, the engine in this process: ms", *_row(s.asked for s in process.values())],
            [f"{at}its network passes", *_row(s.passes for s in process.values())],
            [f"{at}keystroke, `dllm-lsp --stdio`: ms", *_row(s.asked for s in server.samples.values())],
        ]
    known = (s.known for s in outside[-1].samples.values())
    return table(
        header,
        [
            *rows,
            ["typed what was suggested, `dllm-lsp --stdio`: ms", *_row(known)],
            ["process start to `initialize` answered: ms", _spread(starts), "", "", ""],
            ["memory of the editor's half: MB", f"{outside[0].megabytes:.0f}", "", "", ""],
        ],
    )


def _row(samples: Iterable[Sequence[float]]) -> list[str]:
    """Return the spread of each file's samples, and the ratio of the last file's median to the first's."""
    found = list(samples)
    ratio = np.median(found[-1]) / np.median(found[0]) if found[0] and found[-1] else None
    return [*map(_spread, found), "-" if ratio is None else f"{ratio:.2f}"]


def _spread(samples: ArrayLike) -> str:
    values = np.asarray(samples)
    return "{:.1f} / {:.1f}".format(*np.percentile(values, [50, 95])) if values.size else "-"


def _machine() -> str:
    load = f", load average {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    return f"{platform.machine()}, {os.cpu_count()} CPUs{load}; torch {torch.__version__}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, epilog="Absolute times mean little on a machine that is busy."
    )
    add_engine_options(parser)
    parser.add_argument(
        "--keystrokes", type=positive, default=100, metavar="N", help="in each file, at most (default: 100)"
    )
    return parser
