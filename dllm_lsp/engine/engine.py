"""Fills holes with a loaded model. Knows tokens and canvases; of editors nothing, of processes nothing."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import NamedTuple

import torch
from torch import Tensor

from dllm_lsp.engine.canvas import Canvas
from dllm_lsp.engine.context import ContextCache, DocumentContext
from dllm_lsp.engine.denoising import denoise
from dllm_lsp.engine.policies import POLICIES
from dllm_lsp.models.checkpoint import Checkpoint, load_checkpoint, resolve
from dllm_lsp.models.streams import StreamsModel
from dllm_lsp.models.tokenizer import Tokenizer
from dllm_lsp.worker.messages import Hole, Limits, Piece

CHARACTERS_PER_TOKEN = 3
"""Of code, a little under the mean, so that a full window seldom has to be cut again."""

Progress = tuple[int, tuple[Piece, ...]]
"""A denoising step's number, from 1, and the canvas after it."""


class Outcome(NamedTuple):
    """A filled hole; the fields are those of `messages.Infilled`."""

    pieces: tuple[Piece, ...]
    end: float
    steps: int
    passes: int
    encoded: int
    milliseconds: float


class Engine:
    """A model, its tokenizer, and what is cached of the documents it serves; used by one thread at a time."""

    def __init__(
        self, checkpoint: Checkpoint, name: str, device: torch.device, policy: str = "threshold"
    ) -> None:
        self._model, self._tokenizer = checkpoint
        self._policy = POLICIES[policy]
        self._cache = ContextCache(self._model)
        nameless = range(self._tokenizer.size, self._model.config.transformer.vocabulary)
        self._forbidden = torch.tensor([*self._tokenizer.never_written, *nameless], device=device)
        self._device = device
        self.model, self.device = name, str(device)
        self.before = CHARACTERS_PER_TOKEN * self._model.config.before
        self.after = CHARACTERS_PER_TOKEN * self._model.config.after

    @classmethod
    def load(cls, model: str, device: str, threads: int) -> Engine:
        """Load "bundled" or a folder; `threads` 0 means one.

        Raises CheckpointError, or ValueError for a device that this machine has not.
        """
        # So small a network gains nothing from a second thread, and loses much where the cores are busy.
        torch.set_num_threads(threads or 1)
        place = _device(device)
        return cls(load_checkpoint(resolve(model), place), model, place)

    @torch.inference_mode()
    def infill(self, document: str, hole: Hole, limits: Limits) -> Generator[Progress, None, Outcome]:
        """Fill the hole, yielding after every denoising step; closing the generator cancels.

        `document` only says what the cache may hold already; the answer does not depend on it.
        """
        began = time.monotonic()
        context = self._cache.of(document)
        encoded = [context.before.become(self._before(hole)), context.after.become(self._after(hole))]
        length = min(max(limits.tokens, 1), self._model.config.reach)
        denoiser = ContextDenoiser(self._model, context, length, self._forbidden)
        ready = time.monotonic()

        def is_late() -> bool:
            """Whether another pass, as long as the mean so far, would end after the budget."""
            now = time.monotonic()
            return 1000 * (now - began + (now - ready) / denoiser.passes) > limits.milliseconds

        steps = 0
        drafts = denoise(
            denoiser, length, self._policy, passes=limits.passes, is_late=is_late, device=self._device
        )
        for canvas in drafts:
            steps += 1
            pieces = self._pieces(canvas)
            yield steps, pieces
        return Outcome(
            pieces=pieces,
            end=canvas.end,
            steps=steps,
            passes=steps + sum(count > 0 for count in encoded),
            encoded=sum(encoded),
            milliseconds=1000 * (time.monotonic() - began),
        )

    def _before(self, hole: Hole) -> list[int]:
        ids = _near_end(self._tokenizer.encode(hole.before), self._model.config.before)
        return [self._tokenizer.begin(hole.language), *ids]

    def _after(self, hole: Hole) -> list[int]:
        ids = self._tokenizer.encode(hole.after)[::-1]
        return [self._tokenizer.begin(hole.language), *_near_end(ids, self._model.config.after)]

    def _pieces(self, canvas: Canvas) -> tuple[Piece, ...]:
        ids: list[int] = canvas.ids.tolist()
        texts = self._tokenizer.pieces(ids)
        return tuple(
            Piece(None if i == Tokenizer.mask else text, probability)
            for i, text, probability in zip(ids, texts, canvas.probability.tolist(), strict=True)
        )


class ContextDenoiser:
    """A denoiser for one hole: its context assembled once, then a pass over the canvas at every call."""

    def __init__(self, model: StreamsModel, context: DocumentContext, length: int, forbidden: Tensor) -> None:
        self._model, self._forbidden = model, forbidden
        self._before = context.before.store.length
        self._context = model.assemble(context.before.store, context.after.store, length)
        self.passes = 0

    def __call__(self, ids: Tensor) -> Tensor:
        """Return the probabilities [length, vocabulary] of a canvas [length]."""
        self.passes += 1
        logits = self._model.denoise(ids, self._before, self._context).float()
        return logits.index_fill_(-1, self._forbidden, float("-inf")).softmax(-1)


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
