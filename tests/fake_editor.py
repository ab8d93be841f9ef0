"""An editor without a server: a client of engines' processes, and what was said to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from dllm_lsp.client.client import EngineClient
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled
from dllm_lsp.settings import EngineSettings, Settings
from dllm_lsp.wire.messages import Status

COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("fake_engine.py")))
PATIENCE = 15.0  # seconds: how long a test waits for what must happen


class Editor:
    """A client and what it was told."""

    def __init__(
        self, settings: Settings, command: Sequence[str] = COMMAND, adapter: str | None = None
    ) -> None:
        self.statuses: list[Status] = []
        self.notices: list[str] = []
        self.client = EngineClient(
            settings, self.statuses.append, self.notices.append, command, adapter=adapter
        )

    @property
    def pid(self) -> int:
        return int(self.client.status.model.removeprefix("fake "))

    async def ready(self) -> Editor:
        await self.client.start()
        await until(lambda: self.client.status.state == "ready")
        return self

    async def infill(
        self,
        document: str = "a.py",
        before: str = "abc",
        passes: int = 2,
        on_draft: Callable[[Draft], None] | None = None,
    ) -> Infilled | None:
        hole = Hole(before=before, after="", language="python")
        async with asyncio.timeout(PATIENCE):
            return await self.client.infill(document, "inline", hole, Limits(passes=passes), on_draft)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the condition; a TimeoutError if it never holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def engine_settings(
    model: str = "bundled", threads: int = 0, linger: float = 0.3, silence: float = 30.0
) -> Settings:
    return Settings(model=model, engine=EngineSettings(threads=threads, linger=linger, silence=silence))


def engines(folder: Path) -> list[psutil.Process]:
    """Return the living engine processes whose sockets lie below the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(word.startswith(f"--socket={folder}") for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue  # it has ended, or is another user's
    return found
