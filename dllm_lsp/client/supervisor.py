"""Finds the engine's process or starts it, and ends one that has fallen silent.

Two clients that look at the same moment end up with one engine: whoever holds the lock beside the socket
looks again before it starts one. Never loads the network.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from filelock import AsyncFileLock

from dllm_lsp.client.identity import identity, name
from dllm_lsp.client.place import Place, find_place
from dllm_lsp.settings import Settings
from dllm_lsp.wire.channel import Channel, connect
from dllm_lsp.wire.errors import StartError
from dllm_lsp.wire.log import log_path, open_log
from dllm_lsp.wire.messages import ToClient

# -P: the folder that an editor happens to stand in must not be imported from.
COMMAND = (sys.executable, "-P", "-m", "dllm_lsp.host")
START_SECONDS = 30.0
LOCK_SECONDS = 60.0
POLL_SECONDS = 0.02
ABSENT = (FileNotFoundError, ConnectionRefusedError)

_DETACHED: dict[str, Any]
if sys.platform == "win32":
    _DETACHED = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    _KILL = signal.SIGTERM
else:
    _DETACHED = {"start_new_session": True}
    _KILL = signal.SIGKILL


class Supervisor:
    """The way to the one engine of these settings; `command` starts its process."""

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        self._settings = settings
        self._command = command
        self._place: Place | None = None
        self._pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def connect(self) -> Channel[ToClient]:
        """Connect to the engine, starting it when there is none. Raises EngineError or OSError."""
        self._reap()
        place = self._place = find_place(identity(self._settings))
        try:
            channel = await connect(place.socket)
        except ABSENT:
            channel = await self._connect_alone(place)
        self._pid = _read_pid(place)
        return channel

    async def end(self) -> None:
        """End the engine that was last connected to, unless it is gone or another has taken its place."""
        if self._place is None or self._pid is None:
            return
        async with _locked(self._place):
            if _read_pid(self._place) != self._pid:
                return
            if await _is_listening(self._place):  # else the number may be another process's by now
                with suppress(ProcessLookupError):
                    os.kill(self._pid, _KILL)
            self._place.socket.unlink(missing_ok=True)
            self._place.pid.unlink(missing_ok=True)

    async def _connect_alone(self, place: Place) -> Channel[ToClient]:
        async with _locked(place):
            try:
                return await connect(place.socket)  # somebody was faster
            except ABSENT:
                place.socket.unlink(missing_ok=True)  # left by an engine that was killed
            return await self._start(place)

    async def _start(self, place: Place) -> Channel[ToClient]:
        with open_log() as log:
            written = log.tell()
            process = subprocess.Popen(
                [*self._command, *self._arguments(place)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=place.folder,
                **_DETACHED,
            )
        self._process = process
        place.pid.write_text(str(process.pid))
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while process.poll() is None and asyncio.get_running_loop().time() < deadline:
            try:
                return await connect(place.socket)
            except ABSENT:
                await asyncio.sleep(POLL_SECONDS)
        process.kill()
        raise StartError(f"The engine's process did not start: {_last_line(written)} (log: {log_path()})")

    def _arguments(self, place: Place) -> list[str]:
        settings = self._settings
        return [
            f"--socket={place.socket}",
            f"--model={name(settings.model)}",
            f"--device={settings.engine.device}",
            f"--precision={settings.engine.precision}",
            f"--threads={settings.engine.threads}",
            f"--memory={settings.engine.memory}",
            f"--linger={settings.engine.linger}",
        ]

    def _reap(self) -> None:
        """Let the system forget an engine that this process started and that has ended."""
        if self._process is not None and self._process.poll() is not None:
            self._process = None


def _locked(place: Place) -> AsyncFileLock:
    return AsyncFileLock(place.lock, timeout=LOCK_SECONDS, run_in_executor=False)


async def _is_listening(place: Place) -> bool:
    try:
        channel = await connect(place.socket)
    except ABSENT:
        return False
    channel.close()
    return True


def _read_pid(place: Place) -> int | None:
    try:
        return int(place.pid.read_text())
    except (OSError, ValueError):
        return None


def _last_line(start: int) -> str:
    """Return the last line that was logged after `start` bytes."""
    try:
        with log_path().open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").split("\n")
    except OSError:
        return "no log"
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing was logged")
