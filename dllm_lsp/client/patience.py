"""When to ask a silent peer for a sign of life, and when to give up on it.

Knows no peer, only what to call; costs nothing while nothing is owed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Patience:
    """Calls `ask` after half of `seconds` without a word that was owed, `give_up` after the other half."""

    def __init__(self, seconds: float, ask: Callable[[], None], give_up: Callable[[], None]) -> None:
        self._half = seconds / 2
        self._ask = ask
        self._give_up = give_up
        self._timer: asyncio.TimerHandle | None = None
        self.is_over = False

    def expect(self) -> None:
        """Something is owed from now on, if nothing was already."""
        if self._timer is None:
            self._wait(self._doubt)

    def hear(self, is_owed: bool) -> None:
        """The peer said something; `is_owed` tells whether more must come."""
        self.stop()
        if is_owed:
            self.expect()

    def stop(self) -> None:
        """Nothing is owed any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, then: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._half, then)

    def _doubt(self) -> None:
        self._wait(self._end)
        self._ask()

    def _end(self) -> None:
        self.is_over = True
        self._give_up()
