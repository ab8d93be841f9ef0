"""One piece of work for each key: the newest."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

_Result = TypeVar("_Result")


class Latest(Generic[_Result]):
    """Runs work for keys; newer work for a key cancels the older."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[_Result]] = {}

    async def run(self, key: str, work: Coroutine[Any, Any, _Result]) -> _Result | None:
        """Return the work's result, or None when newer work for the key superseded it.

        Cancelling the caller cancels the work.
        """
        self.cancel(key)
        task = self._tasks[key] = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            if self._tasks.get(key) is task:
                del self._tasks[key]
        return None if task.cancelled() else task.result()

    def cancel(self, key: str) -> None:
        """Supersede the work for the key by nothing."""
        if older := self._tasks.get(key):
            older.cancel()
