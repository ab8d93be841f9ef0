"""What a request may still cost: passes of the network, and time on the clock."""

from __future__ import annotations

import time
from collections.abc import Callable


class Budget:
    """Counts passes and watches the clock from the moment it is made."""

    def __init__(self, passes: int, milliseconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._passes, self._milliseconds, self._clock = passes, milliseconds, clock
        self._began = self._ready = clock()
        self.spent = 0

    def begin(self) -> None:
        """Say that the first pass begins now. The time before it does not count into the mean time of a pass."""
        self._ready = self._clock()

    def spend(self) -> None:
        """Count a pass that has been made."""
        self.spent += 1

    @property
    def is_spent(self) -> bool:
        """Whether no further pass fits. A pass fits if one is left and, taking the mean time so far, ends in time."""
        mean = 1000 * (self._clock() - self._ready) / max(1, self.spent)
        return self.spent >= self._passes or self.milliseconds + mean >= self._milliseconds

    @property
    def is_late(self) -> bool:
        """Whether the time is over."""
        return self.milliseconds >= self._milliseconds

    @property
    def milliseconds(self) -> float:
        """The time since it was made."""
        return 1000 * (self._clock() - self._began)
