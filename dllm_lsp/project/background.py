"""Who does work that may take long: a thread of its own, or whoever asks. Knows no work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_Result = TypeVar("_Result")


def in_background(work: Callable[[], _Result]) -> Future[_Result]:
    """Do the work in a thread of its own, which does not keep the process from ending."""
    future: Future[_Result] = Future()
    threading.Thread(target=_settle, args=(future, work), daemon=True).start()
    return future


def at_once(work: Callable[[], _Result]) -> Future[_Result]:
    """Do the work before anything else."""
    future: Future[_Result] = Future()
    _settle(future, work)
    return future


def _settle(future: Future[_Result], work: Callable[[], _Result]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except Exception as error:  # a defect, which whoever takes the result reports
        future.set_exception(error)
