"""The engine's own table: what each policy and each effort costs, and how often it is right.

A causal model asks no policy: of it, efforts alone are measured. Every hole is filled in every way in turn, its context
encoded before, so that whatever else the machine does falls on all of them alike. Times are of the processor, not of
the clock, for the same reason.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np
import torch
from tqdm import tqdm

from bench.options import add_engine_options, positive
from dllm_lsp.engine.effort import EFFORTS, Effort
from dllm_lsp.engine.engine import Engine
from dllm_lsp.engine.loading import load_model
from dllm_lsp.engine.policies import Policy, Proposals, entropy_bound, frechet, sequential, threshold
from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.holes import cut_holes
from dllm_lsp.evaluation.sources import read_sources
from dllm_lsp.evaluation.tables import table
from dllm_lsp.hub import fetched
from dllm_lsp.infill.extent import portion_of
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer

KINDS = ("rest-of-line", "line", "argument")
CPU = torch.device("cpu")
UNHURRIED = Limits(milliseconds=math.inf)
DEFAULT = "effort medium"
BATCHES = (1, 4, 16)
ROUNDS = 3
EIGHT = Effort(passes=8, candidates=1, policy=sequential)

POLICIES: dict[str, Policy] = {
    "sequential": sequential,
    **{f"threshold {least}": partial(threshold, least=least) for least in (0.95, 0.9, 0.8, 0.6)},
    **{f"frechet {least}": partial(frechet, least=least) for least in (0.5, 0.25, 0.0)},
    **{f"entropy-bound {bound}": partial(entropy_bound, bound=bound) for bound in (0.1, 0.35, 1.0)},
}
WAYS: dict[str, Effort] = {
    **{name: Effort(passes=64, candidates=1, policy=policy) for name, policy in POLICIES.items()},
    **{f"effort {name}": effort for name, effort in EFFORTS.items()},
}


@dataclass(frozen=True, slots=True)
class Trial:
    """One hole filled in one way. `entropy` is the mean of the masks in the first pass, in nats; 0 without a policy."""

    is_exact: bool
    tokens: int
    true_tokens: int
    passes: int
    milliseconds: float
    entropy: float


class Watched:
    """A policy that remembers how uncertain the first proposals were that it saw."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.entropy = 0.0

    def __call__(self, proposals: Proposals) -> torch.Tensor:
        """Accept what the policy does."""
        if not self.entropy:
            self.entropy = float(proposals.entropy[proposals.open].mean())
        return self._policy(proposals)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line `arguments` (the process's own by default); end with a message on bad input."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        model, tokenizer, _ = load_model(fetched(options.model), CPU)
        cases = _fitting(
            cut_holes(read_sources(options.source), options.seed, KINDS), tokenizer, model.canvas
        )
        places = list(islice(cases, options.limit))
    except (OSError, ValueError, CheckpointError) as error:
        raise SystemExit(f"policies: {error}") from error
    engine = Engine(model, tokenizer, options.model, CPU)
    ways = {name: way for name, way in WAYS.items() if model.leftward is None or name not in POLICIES}
    trials = _trials(engine, places, ways)
    print(f"{ways_table(trials)}\n\n{difficulty_table(trials[DEFAULT])}\n")
    print(_batch_table(engine, places))
    print(
        f"\n{len(places)} holes that fit a canvas of {model.canvas} tokens; processor time, {options.threads} threads"
    )


def ways_table(trials: Mapping[str, Sequence[Trial]]) -> str:
    """Return what each way costs and how often it is right."""
    rows = [
        [
            name,
            f"{fmean(t.is_exact for t in found):.1%}",
            f"{sum(t.tokens for t in found) / sum(t.passes for t in found):.2f}",
            f"{fmean(t.passes for t in found):.1f}",
            "{:.0f} / {:.0f}".format(*np.percentile([t.milliseconds for t in found], [50, 95])),
        ]
        for name, found in trials.items()
    ]
    return table(["", "exactly right", "tokens a pass", "passes", "ms, p50 / p95"], rows)


def difficulty_table(trials: Sequence[Trial]) -> str:
    """Return how many passes holes take, by the length of what stood there and by the first pass's entropy."""
    groups: dict[str, list[Trial]] = {
        f"{low} to {high} tokens": [t for t in trials if low <= t.true_tokens <= high]
        for low, high in ((1, 2), (3, 5), (6, 9), (10, 15), (16, 64))
    }
    measured = [t for t in trials if t.entropy]
    entropies = [t.entropy for t in measured] or [0.0]
    cuts = np.quantile(entropies, [0.25, 0.5, 0.75])
    for number, name in enumerate(("lowest", "second", "third", "highest")):
        groups[f"{name} quarter of entropies"] = [
            t for t in measured if np.searchsorted(cuts, t.entropy) == number
        ]
    rows = [
        [
            name,
            str(len(found)),
            f"{fmean(t.passes for t in found):.1f}",
            f"{fmean(t.is_exact for t in found):.1%}",
        ]
        for name, found in groups.items()
        if found
    ]
    return table([f"{DEFAULT}, by", "holes", "passes", "exactly right"], rows)


def _trials(engine: Engine, places: Sequence[Case], ways: Mapping[str, Effort]) -> dict[str, list[Trial]]:
    trials: dict[str, list[Trial]] = {name: [] for name in ways}
    for case in tqdm(places, unit="hole"):
        hole = case.hole(engine.before, engine.after, engine.snippets)
        _filled(engine, hole, EFFORTS["instant"])  # encodes the context
        for name, effort in ways.items():
            watched = Watched(effort.policy)
            began = time.thread_time()
            infilled = _filled(engine, hole, effort._replace(policy=watched))
            milliseconds = 1000 * (time.thread_time() - began)
            line = portion_of(infilled.pieces, infilled.end, "line", hole.before)
            text = "".join(piece.text or "" for piece in line.pieces)
            trials[name].append(
                Trial(
                    is_exact=text.rstrip() == case.truth.rstrip(),
                    tokens=len(infilled.pieces),
                    true_tokens=engine.tokens(case.truth, case.before),
                    passes=infilled.passes,
                    milliseconds=milliseconds,
                    entropy=watched.entropy,
                )
            )
    return trials


def _filled(engine: Engine, hole: Hole, effort: Effort, document: str = "") -> Infilled:
    steps = engine.infill(document, hole, UNHURRIED, effort)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            infilled: Infilled = end.value
            return infilled


def _batch_table(engine: Engine, places: Sequence[Case]) -> str:
    """Return how long a hole takes where several are filled at once, each with a context of its own."""
    holes = [case.hole(engine.before, engine.after, engine.snippets) for case in places[: max(BATCHES)]]
    for number, hole in enumerate(holes):
        _filled(engine, hole, EFFORTS["instant"], _document(number))  # encodes the context
    sizes = [size for size in BATCHES if size <= len(holes)]
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(ROUNDS):
        for size in sizes:
            taken[size].append(_batch_milliseconds(engine, holes, size) / len(holes))
    each = {size: min(samples) for size, samples in taken.items()}
    rows = [[str(size), f"{each[size]:.1f}", f"{each[sizes[0]] / each[size]:.2f}"] for size in sizes]
    return table(
        ["holes in a batch", f"ms a hole, {EIGHT.passes} passes", "throughput over one at a time"], rows
    )


def _batch_milliseconds(engine: Engine, holes: Sequence[Hole], size: int) -> float:
    """Fill the holes, `size` at once, each with as many passes over a whole canvas; return what that takes."""
    limits = msgspec.structs.replace(UNHURRIED, tokens=engine.canvas, exact=True)
    began = time.thread_time()
    for start in range(0, len(holes), size):
        requests = [
            engine.begin(_document(start + number), hole, limits, EIGHT)
            for number, hole in enumerate(holes[start : start + size])
        ]
        while running := [request for request in requests if request.wanted is not None]:
            engine.step(running)
        for request in requests:
            request.close()
            if request.error is not None:
                raise request.error
    return 1000 * (time.thread_time() - began)


def _document(number: int) -> str:
    return f"batch {number}"


def _fitting(cases: Iterable[Case], tokenizer: TextTokenizer, canvas: int) -> Iterator[Case]:
    return (case for case in cases if len(tokenizer.encode(case.truth)) <= canvas)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="policies", description=__doc__)
    parser.add_argument(
        "source", type=Path, help="code to cut holes into: a folder, or a corpus file (.jsonl)"
    )
    add_engine_options(parser)
    parser.add_argument("--limit", type=positive, default=300, metavar="N", help="holes (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="of the holes (default: 0)")
    return parser
