"""Engines' processes for the tests: each test has folders of its own, and leaves no process behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from fake_editor import COMMAND, Editor, engine_settings, engines


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's runtime and state folder; not below tmp_path, which is too long for a socket."""
    path = Path(tempfile.mkdtemp(prefix="dl"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    monkeypatch.setenv("XDG_STATE_HOME", str(path))
    yield path
    _, left = psutil.wait_procs(engines(path), timeout=5)
    for process in left:
        process.kill()
    shutil.rmtree(path)
    assert not left, "an engine outlived its clients"


@pytest_asyncio.fixture
async def open_editor(folder: Path) -> AsyncIterator[Callable[..., Editor]]:
    """Return a function that makes an editor; all of them are closed at the end."""
    editors: list[Editor] = []

    def make(command: Sequence[str] = COMMAND, adapter: str | None = None, **options: object) -> Editor:
        editors.append(Editor(engine_settings(**options), command, adapter))  # type: ignore[arg-type]
        return editors[-1]

    yield make
    for editor in editors:
        await editor.client.close()
