"""How an adapter is trained."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from dllm_lsp.training.adaptation.windows import WindowConfig


class Stage(NamedTuple):
    """From which share of the budget on holes have up to `tokens` tokens, and a step has `windows` windows."""

    start: float
    tokens: int
    windows: int


class AdaptationConfig(Struct, frozen=True, kw_only=True):
    """One run. `seconds` counts processor time on a CPU, time on the wall on a GPU, in all sessions together.

    With `by_the_wall` it is time on the wall everywhere.

    rate: the peak; it warms up over `warmup` steps of a session and falls to zero over the last `decay` of the budget.
    """

    seconds: float
    by_the_wall: bool = False
    rank: int = 32
    rate: float = 5e-4
    warmup: int = 40
    decay: float = 0.4
    clip: float = 1.0
    stages: tuple[Stage, ...] = (Stage(0.0, 16, 1), Stage(0.4, 32, 1), Stage(0.6, 32, 2), Stage(0.8, 64, 2))
    window: WindowConfig = WindowConfig()
    seed: int = 0
    report_seconds: float = 60.0
    save_seconds: float = 300.0
    score_seconds: float = 1200.0
    places: int = 96
    heldout_windows: int = 8

    def stage(self, share: float) -> Stage:
        """Return the stage when `share` of the budget is used up."""
        return max(stage for stage in self.stages if stage.start <= share)

    def rate_at(self, share: float, step: int) -> float:
        """The learning rate of a session's step: a linear warm-up, a plateau, a linear decay to zero."""
        return self.rate * min(1.0, (step + 1) / self.warmup, max(0.0, 1 - share) / self.decay)
