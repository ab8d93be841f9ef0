"""Fills holes with a loaded model. Knows tokens and canvases; of editors nothing, of processes and networks nothing."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch

from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.cache import ContextCache
from dllm_lsp.engine.calibration import read_calibration
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.effort import EFFORTS, Effort
from dllm_lsp.engine.enough import is_enough
from dllm_lsp.engine.healing import Stem
from dllm_lsp.engine.infilling import infill
from dllm_lsp.engine.loading import load_model
from dllm_lsp.engine.model import Model
from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled, Piece
from dllm_lsp.models.checkpoints.checkpoint import resolve
from dllm_lsp.models.checkpoints.tokenizer import TextTokenizer

CHARACTERS_PER_TOKEN = 3
"""Of code, a little under the mean, so that a full window seldom has to be cut again."""

SNIPPETS_SHARE = 0.25
"""Of a request's time; what is not encoded by then is left to the next one, since a person who types asks again."""

BATCHES = (16, 4, 1)
"""How many canvases are worked on at a time; the next where the device's memory does not hold as many."""


class Engine:
    """A model, its tokenizer, and what is cached of the documents it serves; used by one thread at a time."""

    def __init__(self, model: Model[Any], tokenizer: TextTokenizer, name: str, device: torch.device) -> None:
        self._model, self._tokenizer, self._device = model, tokenizer, device
        self._cache = ContextCache(model.context)
        self.model, self.device = name, str(device)
        self.before = CHARACTERS_PER_TOKEN * model.before
        self.after = CHARACTERS_PER_TOKEN * model.after
        self.snippets = model.snippets
        self.canvas = model.canvas
        self.precision = "fp32"
        self.calibration: Calibration | None = None

    @classmethod
    def load(cls, model: str, device: str, threads: int, precision: str = "auto") -> Engine:
        """Load "bundled" or a folder; `threads` 0 means all cores, or one for a small model.

        Raises CheckpointError, or ValueError for a device or precision that this machine has not.
        """
        place = _device(device)
        loaded = load_model(resolve(model), place, precision)
        if threads or loaded.model.is_small:
            torch.set_num_threads(threads or 1)
        engine = cls(loaded.model, loaded.tokenizer, model, place)
        engine.precision = loaded.precision
        engine.calibration = read_calibration(resolve(model))
        return engine

    def tokens(self, text: str, before: str = "") -> int:
        """Return how many tokens of a canvas a text takes, the stem of the code before it included."""
        _, stem = self._tokenizer.healed(before)
        return len(self._tokenizer.encode(stem + text))

    @torch.inference_mode()
    def infill(
        self, document: str, hole: Hole, limits: Limits, effort: Effort | None = None
    ) -> Generator[Draft, None, Infilled]:
        """Fill the hole, yielding after every denoising step; closing the generator cancels.

        The document's name only says what the cache may hold already; the answer does not depend on it. `effort` is
        for those who measure; else it is that of the limits. Limits that leave room for no token or no pass give an
        empty answer. Raises MemoryError where the device's memory does not hold a single canvas.
        """
        effort = effort or EFFORTS[limits.effort]
        budget = Budget(min(limits.passes, effort.passes), limits.milliseconds)
        if limits.tokens < 1 or budget.is_spent:
            return Infilled()
        for batch in BATCHES:
            try:
                return (yield from self._infill(document, hole, limits, effort.within(batch), budget))
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._cache.clear()
        raise MemoryError

    def _infill(
        self, document: str, hole: Hole, limits: Limits, effort: Effort, budget: Budget
    ) -> Generator[Draft, None, Infilled]:
        context = self._cache.of(document, hole.language)
        before, stem = self._tokenizer.healed(hole.before)
        snippets = [self._tokenizer.encode(text) for text in hole.snippets[: self.snippets]]
        encoded = context.become(_near_end(before, self._model.before), self._after(hole))
        encoded += context.relate(
            snippets, lambda: budget.milliseconds < SNIPPETS_SHARE * limits.milliseconds
        )
        size = min(limits.tokens, self._model.canvas)
        steps = 0
        canvases = infill(
            self._model,
            context,
            size,
            effort,
            budget,
            device=self._device,
            stem=Stem(stem, self._tokenizer) if stem else None,
            exact=limits.exact,
        )
        for canvas, is_alone in canvases:
            steps += 1
            pieces = self._pieces(canvas, stem)
            yield Draft(steps, pieces)
            if is_alone and is_enough(pieces, limits, self.calibration):
                break
        return Infilled(
            pieces=pieces,
            end=float(canvas.end),
            steps=steps,
            passes=budget.spent + (encoded > 0),
            encoded=encoded,
            milliseconds=budget.milliseconds,
            calibration=self.calibration,
        )

    def _after(self, hole: Hole) -> list[int]:
        return _near_end(self._tokenizer.encode(hole.after)[::-1], self._model.after)[::-1]

    def _pieces(self, canvas: Canvas, stem: str) -> tuple[Piece, ...]:
        """Return the tokens of a canvas of one row, without the stem, which stands in the document already."""
        [ids], [probabilities] = canvas.ids.tolist(), canvas.probability.tolist()
        pieces, left = [], len(stem)
        for i, text, probability in zip(ids, self._tokenizer.pieces(ids), probabilities, strict=True):
            if i == canvas.tokens.mask:
                pieces.append(Piece(None, probability))
                continue
            pieces.append(Piece(text[left:], probability))
            left = max(0, left - len(text))
        return tuple(pieces)


def _near_end(ids: list[int], limit: int) -> list[int]:
    """Drop tokens from the far end, half of the limit at a time, so that the cut stays while a user types."""
    excess = len(ids) - limit
    if excess <= 0:
        return ids
    quantum = max(1, limit // 2)
    return ids[-(-excess // quantum) * quantum :]


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


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether a device, or this machine, has no memory left; torch says so in several ways."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
