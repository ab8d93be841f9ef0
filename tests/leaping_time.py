"""Time for tests that wait: their event loop's clock leaps to the next timer instead of waiting for it.

For what waits on timers alone; a process, a socket or a thread would find its time already over.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

Arguments = ParamSpec("Arguments")


class _LeapingSelector(selectors.DefaultSelector):
    """Never waits; keeps the seconds that it would have waited."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing would ever happen"
        self.now += max(0.0, timeout)
        return super().select(0)


class _LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now


def leaping(
    test: Callable[Arguments, Coroutine[Any, Any, None]],
) -> Callable[Arguments, None]:
    """Run an asynchronous test on a loop whose clock leaps, from 0 on."""

    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        with asyncio.Runner(loop_factory=_LeapingLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
