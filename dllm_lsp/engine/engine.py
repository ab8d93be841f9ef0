"""Fills holes with a loaded model. Knows tokens and canvases; of editors nothing, of processes and networks nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from copy import copy
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.cache import MEGABYTE, ContextCache
from dllm_lsp.engine.calibration import read_calibration
from dllm_lsp.engine.effort import EFFORTS, Effort
from dllm_lsp.engine.loading import load_model
from dllm_lsp.engine.model import Context, Model
from dllm_lsp.engine.request import Asked, Request, Served
from dllm_lsp.engine.tuned import TunedModels
from dllm_lsp.hub import Report, fetched
from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled
from dllm_lsp.languages.lookup import name_of
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer

CHARACTERS_PER_TOKEN = 3
"""A little less than code has on average, so that a window of so many characters seldom has to be cut again."""

ON_CPU, ELSEWHERE = 96, 512
"""Megabytes of documents that are cached where nothing else is said; docs/engine.md has what that comes to."""


class Engine:
    """A model, its tokenizer, and what is cached of the documents it serves; used by one thread at a time."""

    def __init__(
        self,
        model: Model[Any, Any, Any],
        tokenizer: TextTokenizer,
        name: str,
        device: torch.device,
        *,
        memory: int = ELSEWHERE,
    ) -> None:
        """`memory` is how many megabytes of documents may be cached."""
        self._models, self._tokenizer, self._device = TunedModels(model), tokenizer, device
        self._cache = ContextCache(model.context, memory * MEGABYTE)
        self.model, self.device = name, str(device)
        self.before = CHARACTERS_PER_TOKEN * model.before
        self.after = CHARACTERS_PER_TOKEN * model.after
        self.snippets, self.milliseconds = model.snippets, model.milliseconds
        self.canvas, self.languages = model.canvas, model.languages
        self.precision = "fp32"
        self.calibration: Mapping[str, Calibration] = {}
        """What confidence is worth, by the name of a language."""

    @classmethod
    def load(
        cls,
        model: str,
        device: str,
        threads: int,
        precision: str = "auto",
        report: Report | None = None,
        *,
        memory: int = 0,
    ) -> Engine:
        """Load a model; `threads` 0 means all cores, or one for a small model. `report` hears of a download.

        At most `memory` megabytes of documents are cached; 0 means what suits the device.

        Raises CheckpointError, HubError, or ValueError for a device or precision that this machine has not.
        """
        place, folder = _device(device), fetched(model, report)
        loaded = load_model(folder, place, precision)
        if threads or loaded.model.is_small:
            torch.set_num_threads(threads or 1)
        memory = memory or (ON_CPU if place.type == "cpu" else ELSEWHERE)
        engine = cls(loaded.model, loaded.tokenizer, model, place, memory=memory)
        engine.precision = loaded.precision
        engine.calibration = read_calibration(folder)
        return engine

    def adapted(self, folder: Path) -> Engine:
        """Return an engine on the same base, and with the same cache, that has the adapter in a folder as its own.

        For a model that takes adapters. Raises CheckpointError.
        """
        with_adapter = self._models.own.adapted
        assert with_adapter is not None
        engine = copy(self)
        engine._models = TunedModels(with_adapter(folder))
        return engine

    def tokens(self, text: str, before: str = "") -> int:
        """Return how many tokens of a canvas a text takes, the stem of the code before it included."""
        stem = self._models.own.read(Hole(before, "", "")).stem
        return len(self._tokenizer.encode(stem + text))

    @torch.inference_mode()
    def begin(
        self,
        document: str,
        hole: Hole,
        limits: Limits,
        effort: Effort | None = None,
        adapter: str | None = None,
    ) -> Request:
        """Return a request to fill the hole; whoever begins one closes it.

        The document's name says where to look in the cache; the answer does not depend on it. Without `effort`, which
        is for measurements, that of the limits counts. `adapter` is the fingerprint of one that was fine-tuned; where
        it cannot be had, the model's own serves, and the request's `notice` says why.
        """
        model, notice = self._models.choose(adapter)
        effort = effort or EFFORTS[limits.effort]
        budget = Budget(min(limits.passes, effort.passes), limits.milliseconds)
        asked = Asked(hole.before, model.read(hole), limits, effort)
        calibration = self.calibration.get(name_of(hole.language))
        served = Served(model, self._tokenizer, self._device, calibration, self._cache.clear)
        request = Request(served, self._cache.of(document, hole.language), asked, budget)
        request.notice = notice
        return request

    @torch.inference_mode()
    def read_ahead(self, document: str, hole: Hole) -> int:
        """Read a piece of what the cache lacks of the code around a hole, for a request that may come.

        Returns how many tokens were read, 0 when nothing is lacking any more.
        """
        model, context = self._models.own, self._cache.of(document, hole.language)
        return model.encode(context, model.read(hole), lambda: True)

    def forget(self, document: str) -> None:
        """Give up what is cached of a document; requests that run keep what they hold."""
        self._cache.forget(document)

    @torch.inference_mode()
    def step(self, requests: Sequence[Request]) -> None:
        """Make one pass over what all these requests want next, and let each take its logits. Never raises.

        No request among them may have ended. Of those that have to read first, one reads a piece. If a pass over
        several fails, each of them is tried by itself. Requests with different adapters have a pass for each adapter.
        """
        _read([request for request in requests if request.is_reading])
        together: defaultdict[Model[Any, Any, Any], list[Request]] = defaultdict(list)
        for request in requests:
            if request.wanted is not None and not request.is_reading:
                together[request.model].append(request)
        for model, group in together.items():
            self._pass(model, group)

    def _pass(self, model: Model[Any, Any, Any], requests: Sequence[Request]) -> None:
        wanted = [request.wanted for request in requests if request.wanted is not None]
        canvases = [canvas for each in wanted for canvas in each.canvases]
        try:
            logits = iter(model.denoise(canvases, [row for each in wanted for row in each.around]))
        except Exception as error:  # what goes wrong with one request is nothing to the others
            if len(requests) == 1:
                requests[0].fail(error)
                return
            for request in requests:
                self._pass(model, [request])
            return
        for request, each in zip(requests, wanted, strict=True):
            request.take(list(islice(logits, len(each.canvases))))

    def infill(
        self, document: str, hole: Hole, limits: Limits, effort: Effort | None = None
    ) -> Generator[Draft, None, Infilled]:
        """Fill one hole alone, yielding after every denoising step; closing the generator cancels.

        Limits that leave room for no token or no pass give an empty answer. Raises what the request ended with:
        MemoryError where the device's memory does not hold a single canvas.
        """
        with closing(self.begin(document, hole, limits, effort)) as request:
            shown = None
            while request.wanted is not None:
                self.step([request])
                if request.draft is not None and request.draft is not shown:
                    yield (shown := request.draft)
        if request.error is not None:
            raise request.error
        assert request.infilled is not None, "a request ends with one or the other"
        return request.infilled


def _read(requests: Sequence[Request]) -> None:
    """Let requests that have to read go on, until one of them has read a piece.

    Of different documents the one has its turn that has read least, so that whoever only types on need not wait for
    somebody at a new place. Of the same document it is the oldest, since one reading undoes the other.
    """
    waiting = list(requests)
    while waiting:
        oldest: dict[Context, Request] = {}
        for request in waiting:
            oldest.setdefault(request.context, request)
        turn = min(oldest.values(), key=lambda request: request.encoded)
        turn.take(())
        if turn.is_reading:
            return
        waiting.remove(turn)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f'The setting "engine.device" is "{name}", which cannot be used here: {error}'
        ) from error
    return device
