"""Runs code that a model wrote, in a process of its own, and says whether it ran to its end.

The process has a time limit, a memory limit, an empty folder, no network and no standard streams. Where the system
allows it (Linux, with `unshare` of util-linux) it has namespaces of its own: no network device is there, and whatever
it started ends with it. Python itself refuses sockets and processes everywhere. That keeps accidents in; it is no
defense against an attacker.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from msgspec import json

SECONDS = 10
"""Of processor time; the slowest true solution of the benchmarks takes 3."""

_WALL_CLOCK = 3
"""How many seconds may pass for each of processor time: programs wait for busy machines, and some for nothing."""

_MEMORY_BYTES = 1 << 30
_FILE_BYTES = 1 << 20
_CHILD = Path(__file__).with_name("confined.py")
_NAMESPACES = ("--user", "--map-root-user", "--net", "--pid", "--ipc", "--fork", "--kill-child")


def passes(parts: Sequence[str], seconds: float = SECONDS) -> bool:
    """Run Python sources one after the other in one namespace; return whether all ran without an exception.

    A source cannot swallow the next one, as an open string would in a single text. False also when `seconds` of
    processor time are over, or three times as many in all, and when the process ends before the last source does.
    Raises OSError on Windows, which has no such limits.
    """
    if os.name != "posix":
        raise OSError("programs that a model wrote are run on Linux and macOS only")
    token = secrets.token_hex()
    job = {
        "token": token,
        "parts": parts,
        "memory_bytes": _MEMORY_BYTES,
        "file_bytes": _FILE_BYTES,
        "cpu_seconds": max(1, round(seconds)),
    }
    return _answer(json.encode(job), len(token), _WALL_CLOCK * seconds) == token.encode()


def _answer(job: bytes, length: int, seconds: float) -> bytes:
    """Run a job to its end or for `seconds`; return what it answered, at most one byte more than `length`."""
    with (
        tempfile.TemporaryDirectory(prefix="dllm-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as question,
        tempfile.TemporaryFile() as answer,  # not a pipe, which a stray process could hold open
    ):
        question.write(job)
        question.seek(0)
        process = subprocess.Popen(
            [*_namespaces(), sys.executable, "-P", "-S", "-B", str(_CHILD)],
            stdin=question,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={"PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        answer.seek(0)
        return answer.read(length + 1)


@cache
def _namespaces() -> tuple[str, ...]:
    """Return the command that gives the process namespaces of its own, or nothing where that is not allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    command = (unshare, *_NAMESPACES)
    allowed = subprocess.run([*command, sys.executable, "-S", "-c", ""], capture_output=True, check=False)
    return command if allowed.returncode == 0 else ()
