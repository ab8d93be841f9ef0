"""Surroundings that stay open for a test, and passes over canvases in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from dllm_lsp.engine.model import Model


class Opened:
    """Surroundings of a model, one for each context, for canvases of up to `canvas` tokens."""

    def __init__(self, model: Model[Any, Any, Any], contexts: Iterable[Any], canvas: int) -> None:
        self._model, self._stack = model, ExitStack()
        self._around = [
            self._stack.enter_context(model.surroundings(context, canvas)) for context in contexts
        ]

    def __call__(self, rows: Sequence[Sequence[int]]) -> list[Tensor]:
        """Return the logits [n, vocabulary] of each canvas, from one pass over all."""
        return list(self._model.denoise([torch.tensor(row) for row in rows], self._around))

    def close(self) -> None:
        self._stack.close()
