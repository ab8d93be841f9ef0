"""CUDA graphs: a function of tensors is recorded once for each combination of shapes and replayed from then on.

A pass over a canvas is a thousand small kernels, and a processor starts them more slowly than a GPU runs them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Function = Callable[..., Tensor]


class Captured:
    """A function that is recorded on a GPU; elsewhere it is simply called. Only its tensor arguments may change.

    On a GPU, the next call with the same shapes overwrites what this one returned.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._graphs: dict[tuple[torch.Size, ...], _Graph | None] = {}

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Return what the function returns; raise what it raises."""
        if not inputs[0].is_cuda:
            return self._function(*inputs)
        shapes = tuple(x.shape for x in inputs)
        if shapes not in self._graphs:
            self._graphs[shapes] = _captured(self._function, inputs)
        graph = self._graphs[shapes]
        return self._function(*inputs) if graph is None else graph.replay(inputs)


class _Graph:
    """A recorded call: where its inputs are read from, and where its output is written."""

    def __init__(self, function: Function, inputs: Sequence[Tensor]) -> None:
        self._inputs = [x.clone() for x in inputs]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            function(*self._inputs)  # what libraries set up at their first call must not be recorded
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = function(*self._inputs)

    def replay(self, inputs: Sequence[Tensor]) -> Tensor:
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given)
        self._graph.replay()
        return self._output


def _captured(function: Function, inputs: Sequence[Tensor]) -> _Graph | None:
    """Return the recorded function, None if it cannot be recorded: a kernel may do what graphs forbid."""
    try:
        return _Graph(function, inputs)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:
        logging.exception("a pass cannot be captured as a CUDA graph and runs kernel by kernel")
        return None
