"""The trainer's clock, at which every step takes a second."""

from __future__ import annotations

import signal


class Clock:
    """Stands in for the module `time`; after step `stop_at` the process is asked to stop."""

    def __init__(self, stop_at: int | None = None) -> None:
        self._calls = 0
        self._stop_at = stop_at

    def monotonic(self) -> float:
        self._calls += 1
        if self._stop_at is not None and self._calls == self._stop_at + 1:
            signal.raise_signal(signal.SIGTERM)
        return float(self._calls)
