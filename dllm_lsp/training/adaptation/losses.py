"""The loss of a window, and what it tells: nats by how far a target stands from what is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from dllm_lsp.models.adapted.geometry import END
from dllm_lsp.training.adaptation.context import read
from dllm_lsp.training.adaptation.functions import Outcome, cross_entropy
from dllm_lsp.training.adaptation.network import Network, Rows
from dllm_lsp.training.adaptation.windows import Window

_BANDS = {
    "block 1": (1, 1),
    "block 2": (2, 2),
    "block 3-4": (3, 4),
    "block 5-8": (5, 8),
    "block 9-": (9, 999),
}


def window_loss(network: Network, window: Window) -> Outcome:
    """Return the weighted mean of nats over the window's targets, and each target's."""
    base = network.base
    context = read(base, network.angles, window.streams)
    hidden = network.hidden(placed(window.rows, base.device, base.dtype), context)
    weights = (window.weights / window.weights.sum()).to(base.device)
    at, tokens = window.at.to(base.device), window.tokens.to(base.device)
    return cross_entropy(hidden.index_select(0, at), base.embedding, tokens, weights)


def placed(rows: Rows, device: torch.device, dtype: torch.dtype) -> Rows:
    """Bring rows to a device, what is added to scores in the type that these have."""
    groups = [g._replace(context=g.context.to(device), bias=g.bias.to(device, dtype)) for g in rows.groups]
    return Rows(rows.ids.to(device), rows.positions.to(device), groups)


class Tally:
    """Sums over windows."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, window: Window, outcome: Outcome) -> None:
        """Count a window's targets."""
        nats, right = outcome.nats.cpu(), (outcome.best.cpu() == window.tokens).float()
        clean, end = window.distances == 0, window.tokens == END
        self._count("clean", nats[clean])
        self._count("clean right", right[clean])
        self._count("clean tokens", nats[clean & ~end])
        self._count("end right", right[clean & end])
        self._count("end nats", nats[clean & end])
        self._count("shown", nats[window.distances == -1])
        for name, (low, high) in _BANDS.items():
            self._count(name, nats[(window.distances >= low) & (window.distances <= high)])

    def _count(self, name: str, values: Tensor) -> None:
        self._sums[name][0] += float(values.sum())
        self._sums[name][1] += len(values)

    def means(self) -> Mapping[str, float]:
        """Return the mean of each figure that was met."""
        return {name: round(total / count, 4) for name, (total, count) in self._sums.items() if count}
