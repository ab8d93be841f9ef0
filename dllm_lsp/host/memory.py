"""The process's memory, as the system sees it."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def trim() -> None:
    """Give memory that is free back to the system; only glibc keeps much of it and can be asked."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
