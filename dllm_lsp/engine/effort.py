"""How much work a request is worth: one knob for people, the budgets behind it for the engine."""

from __future__ import annotations

from typing import NamedTuple

from dllm_lsp import settings
from dllm_lsp.engine.policies import Policy, sequential, threshold


class Effort(NamedTuple):
    """What is spent on a hole.

    At most `passes` of the network, and at most `batch` canvases at a time. `policy` says how boldly tokens are
    accepted; a model that writes from left to right asks none. For a model that cannot say where the text ends,
    `candidates` of different lengths are written, and the best one is taken.
    """

    passes: int
    candidates: int
    policy: Policy
    batch: int = 16

    def within(self, batch: int) -> Effort:
        """Return the same effort with at most `batch` canvases at a time."""
        return self._replace(batch=batch, candidates=min(self.candidates, batch))


EFFORTS: dict[settings.Effort, Effort] = {
    "instant": Effort(passes=2, candidates=1, policy=threshold),
    "low": Effort(passes=6, candidates=1, policy=threshold),
    "medium": Effort(passes=32, candidates=1, policy=threshold),
    "high": Effort(passes=64, candidates=3, policy=sequential),
}
