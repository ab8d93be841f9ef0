"""Fills holes with a loaded model. Knows tokens and canvases; of editors nothing, of processes and networks nothing."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import torch

from dllm_lsp.engine.cache import ContextCache
from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.denoising import denoise
from dllm_lsp.engine.loading import load_model
from dllm_lsp.engine.model import Model
from dllm_lsp.engine.policies import POLICIES
from dllm_lsp.models.checkpoint import resolve
from dllm_lsp.models.tokenizer import Tokenizer
from dllm_lsp.worker.messages import Draft, Hole, Infill, Infilled, Piece

CHARACTERS_PER_TOKEN = 3
"""Of code, a little under the mean, so that a full window seldom has to be cut again."""


class Engine:
    """A model, its tokenizer, and what is cached of the documents it serves; used by one thread at a time."""

    def __init__(
        self,
        model: Model[Any],
        tokenizer: Tokenizer,
        name: str,
        device: torch.device,
        policy: str = "threshold",
    ) -> None:
        self._model, self._tokenizer, self._device = model, tokenizer, device
        self._policy = POLICIES[policy]
        self._cache = ContextCache(model.context)
        self.model, self.device = name, str(device)
        self.before = CHARACTERS_PER_TOKEN * model.before
        self.after = CHARACTERS_PER_TOKEN * model.after

    @classmethod
    def load(cls, model: str, device: str, threads: int, policy: str = "threshold") -> Engine:
        """Load "bundled" or a folder; `threads` 0 means one.

        Raises CheckpointError, or ValueError for a device that this machine has not.
        """
        # So small a network gains nothing from a second thread, and loses much where the cores are busy.
        torch.set_num_threads(threads or 1)
        place = _device(device)
        return cls(*load_model(resolve(model), place), model, place, policy)

    @torch.inference_mode()
    def infill(self, request: Infill) -> Generator[Draft, None, Infilled]:
        """Fill the hole, yielding after every denoising step; closing the generator cancels.

        The document's name only says what the cache may hold already; the answer does not depend on it.
        """
        began, limits = time.monotonic(), request.limits
        context = self._cache.of(request.document, request.hole.language)
        encoded = context.become(*self._tokens(request.hole))
        budget = min(max(limits.tokens, 1), self._model.canvas)
        denoiser = self._model.denoiser([context], budget)
        ready, steps = time.monotonic(), 0

        def is_late() -> bool:
            """Whether another pass, as long as the mean so far, would end after the budget."""
            now = time.monotonic()
            return 1000 * (now - began + (now - ready) / (steps + 1)) > limits.milliseconds

        tokens = self._model.tokens.fixed if limits.exact else self._model.tokens
        canvas = Canvas.masked(tokens, torch.tensor([budget], device=self._device))
        drafts = denoise(denoiser, canvas, self._policy, budget=budget, passes=limits.passes, is_late=is_late)
        for canvas in drafts:
            steps += 1
            pieces = self._pieces(canvas, 0)
            yield Draft(id=request.id, step=steps, pieces=pieces)
        return Infilled(
            id=request.id,
            pieces=pieces,
            end=float(canvas.end[0]),
            steps=steps,
            passes=steps + (encoded > 0),
            encoded=encoded,
            milliseconds=1000 * (time.monotonic() - began),
        )

    def _tokens(self, hole: Hole) -> tuple[list[int], list[int]]:
        """Return the code before and after, each cut at its far end to what the model can use."""
        before = _near_end(self._tokenizer.encode(hole.before), self._model.before)
        after = _near_end(self._tokenizer.encode(hole.after)[::-1], self._model.after)
        return before, after[::-1]

    def _pieces(self, canvas: Canvas, row: int) -> tuple[Piece, ...]:
        length = int(canvas.lengths[row])
        ids: list[int] = canvas.ids[row, :length].tolist()
        texts = self._tokenizer.pieces(ids)
        return tuple(
            Piece(None if i == canvas.tokens.mask else text, probability)
            for i, text, probability in zip(
                ids, texts, canvas.probability[row, :length].tolist(), strict=True
            )
        )


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
