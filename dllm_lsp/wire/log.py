"""The engines' log: one file in the user's state folder, kept short by those who write to it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import BinaryIO

import platformdirs

MAX_BYTES = 1024 * 1024
STDERR = 2


def log_path() -> Path:
    """Return where the engines' log lies."""
    return platformdirs.user_state_path("dllm-lsp", appauthor=False) / "engine.log"


def open_log() -> BinaryIO:
    """Open the log for appending, to be an engine's stderr; without a writable folder nothing is kept."""
    path = log_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError:
        return open(os.devnull, "ab")


def log_to_stderr() -> None:
    """Send this process's log records and warnings to stderr, whose file never grows beyond MAX_BYTES."""
    logging.basicConfig(
        handlers=[_Bounded()], level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s"
    )
    logging.captureWarnings(True)


class _Bounded(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to stderr and empties its file first when that has grown too long."""

    def emit(self, record: logging.LogRecord) -> None:
        if os.fstat(STDERR).st_size > MAX_BYTES:
            os.ftruncate(STDERR, 0)
        super().emit(record)
