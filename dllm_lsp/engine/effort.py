"""How much work a request is worth: one knob for people, the budgets behind it for the engine."""

from __future__ import annotations

from typing import NamedTuple

from dllm_lsp import settings
from dllm_lsp.engine.policies import Policy, sequential, threshold


class Effort(NamedTuple):
    """What is spent on a hole.

    `passes` of the network at most; how boldly tokens are accepted; for a model that cannot say where the text ends,
    `candidates` of different lengths, of which the best is taken; and `batch`, how many canvases are worked on at a
    time.
    """

    passes: int
    candidates: int
    policy: Policy
    batch: int = 16

    def within(self, batch: int) -> Effort:
        """The same with batches of at most so many canvases."""
        return self._replace(batch=batch, candidates=min(self.candidates, batch))


EFFORTS: dict[settings.Effort, Effort] = {
    "instant": Effort(passes=2, candidates=1, policy=threshold),
    "low": Effort(passes=6, candidates=1, policy=threshold),
    "medium": Effort(passes=32, candidates=1, policy=threshold),
    "high": Effort(passes=64, candidates=3, policy=sequential),
}
