"""How long a whole suggestion takes, its context cached: a diffusion model at so many tokens a pass, and its peer.

Both have random weights, so that only the shape counts, and both get the threads and kernels that serve them best. They
take turns, so that whatever else the machine does falls on all alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import msgspec
import torch

from bench.peer import FORMATS, Peer, PeerError, Tuning, llama_cpp, write_llama
from dllm_lsp.engine.adapters.streams import StreamsInfilling
from dllm_lsp.evaluation.tables import table
from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.models.network.quantization import quantize
from dllm_lsp.models.streams.model import StreamsConfig, StreamsModel

LENGTHS = (8, 16, 32, 64)
"""Tokens of a suggestion."""

PER_PASS = (1, 2, 4, 8)
"""Tokens that are accepted in a pass."""

THREADS = (1, 2)

_CPU = torch.device("cpu")

Write = Callable[[int], float]
"""From a suggestion's tokens to the milliseconds that it took."""


class Diffusion:
    """A network of context streams with random weights, and a context of random tokens."""

    def __init__(self, config: StreamsConfig, tokenizer: Tokenizer, precision: str, threads: int) -> None:
        self._threads, self._config = threads, config
        torch.manual_seed(0)
        network = StreamsModel(config).eval().requires_grad_(False)
        if precision == "int8":
            quantize(network, precision, _CPU)
        self._model = StreamsInfilling(network, tokenizer)
        self._context = self._model.context("python")
        self.encode()

    @torch.inference_mode()
    def encode(self) -> float:
        """Encode the context from nothing; return the milliseconds."""
        torch.set_num_threads(self._threads)
        self._context.become([], [])
        before, after = (
            torch.randint(self._config.transformer.vocabulary, (length,)).tolist()
            for length in (self._config.before, self._config.after)
        )
        began = time.perf_counter()
        self._context.become(before, after)
        return 1000 * (time.perf_counter() - began)

    @torch.inference_mode()
    def write(self, per_pass: int, tokens: int) -> float:
        """Write a suggestion, so many tokens in every pass; return the milliseconds."""
        torch.set_num_threads(self._threads)
        began = time.perf_counter()
        ids = torch.full((tokens,), self._model.tokens.mask)
        with self._model.surroundings(self._context, tokens) as around:
            for start in range(0, tokens, per_pass):
                [logits] = self._model.denoise([ids], [around])
                proposed = logits.softmax(-1).max(-1).indices
                ids[start : start + per_pass] = proposed[start : start + per_pass]
        return 1000 * (time.perf_counter() - began)


def contest(config: StreamsConfig, tokenizer: Tokenizer, folder: Path, rounds: int) -> str:
    """Return a table for one shape of network; weights for the peer are written into `folder`."""
    title = f"{config.transformer.parameters / 1e6:.1f}M parameters, {config.before + config.after} tokens of context"
    config = msgspec.structs.replace(config, reach=max(LENGTHS))
    best, named = _fastest_diffusion(config, tokenizer)
    ours = {f"dllm-lsp, {k} a pass ({named})": partial(best.write, k) for k in PER_PASS}
    with _fastest_peers(config, folder) as peers:
        written = {f"llama.cpp, {name}": peer.write for name, peer in peers.items()}
        taken = in_turns({**written, **ours}, rounds)
        encoded = {f"llama.cpp, {name}": peer.encode() for name, peer in peers.items()}
    encoded |= dict.fromkeys(ours, median(best.encode() for _ in range(rounds)))
    return f"{title}\n\n{_table(taken, list(written), encoded)}"


def in_turns(writers: Mapping[str, Write], rounds: int) -> dict[str, list[float]]:
    """Return each writer's median milliseconds for each of LENGTHS."""
    samples: dict[str, list[list[float]]] = {name: [[] for _ in LENGTHS] for name in writers}
    for _ in range(rounds):
        for i, tokens in enumerate(LENGTHS):
            for name, write in writers.items():
                samples[name][i].append(write(tokens))
    return {name: [median(of_length) for of_length in all_] for name, all_ in samples.items()}


def _fastest_diffusion(config: StreamsConfig, tokenizer: Tokenizer) -> tuple[Diffusion, str]:
    found = {
        f"{precision}, {_of_threads(threads)}": Diffusion(config, tokenizer, precision, threads)
        for precision in ("fp32", "int8")
        for threads in THREADS
    }
    times = {name: min(writer.write(8, 16) for _ in range(3)) for name, writer in found.items()}
    name = min(times, key=times.__getitem__)
    return found[name], name


@contextmanager
def _fastest_peers(config: StreamsConfig, folder: Path) -> Iterator[dict[str, Peer]]:
    """Yield a peer for each format of weights, as llama.cpp runs it fastest; none where it is not installed."""
    peers: dict[str, Peer] = {}
    try:
        llama_cpp()
    except PeerError:
        yield peers
        return
    context = config.before + config.after
    for form in FORMATS:
        path = folder / f"{form}.gguf"
        write_llama(path, config.transformer, context + max(LENGTHS), form)
        tuning = _fastest_tuning(path, context)
        attention = ", flash attention" * tuning.flash_attention
        name = f"{form} ({_of_threads(tuning.threads)}{attention}, batches of {tuning.batch})"
        peers[name] = Peer(path, context, max(LENGTHS), tuning)
    try:
        yield peers
    finally:
        for peer in peers.values():
            peer.close()


def _fastest_tuning(path: Path, context: int) -> Tuning:
    """Return how the peer writes fastest, and then how it encodes its prompt fastest."""

    def time_of(tuning: Tuning) -> tuple[float, float]:
        peer = Peer(path, context, max(LENGTHS), tuning)
        written, encoded = min(peer.write(8) for _ in range(3)), peer.encode()
        peer.close()
        return written, encoded

    tunings = [Tuning(threads, flash) for threads in THREADS for flash in (False, True)]
    fastest = min(tunings, key=lambda tuning: time_of(tuning)[0])
    batches = [fastest._replace(batch=batch) for batch in (128, 512)]
    return min(batches, key=lambda tuning: time_of(tuning)[1])


def _table(taken: Mapping[str, Sequence[float]], peers: Sequence[str], encoded: Mapping[str, float]) -> str:
    header = ["a suggestion of so many tokens: ms", *map(str, LENGTHS), "context from nothing: ms"]
    least = [min(times) for times in zip(*(taken[name] for name in peers), strict=True)]
    rows = []
    for name, times in taken.items():
        shown = [f"{time:.1f}" for time in times]
        if name not in peers and least:
            shown = [f"{time:.1f} ({peer / time:.2g}x)" for time, peer in zip(times, least, strict=True)]
        rows.append([name, *shown, f"{encoded[name]:.0f}"])
    if not peers:
        rows.append(["llama.cpp: not installed, `pip install 'dllm-lsp[bench]'`", *[""] * (len(header) - 1)])
    return table(header, rows)


def _of_threads(count: int) -> str:
    return f"{count} thread" + "s" * (count > 1)
