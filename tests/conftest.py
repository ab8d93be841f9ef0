"""The server under test, and folders of its own for its engine."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

pytest_plugins = ["engine_processes", "adapters", "repositories"]

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

SECONDS = {
    "assist": 10,
    "client": 20,
    "context": 10,
    "engine": 15,
    "host": 20,
    "project": 20,
    "server": 20,
    "suggest": 10,
    "syntax": 10,
    "text": 10,
    "wire": 10,
}
"""After which a test of a room hangs; a real server or model has the limit of `pyproject.toml`."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a test the limit of its room, unless it has one of its own."""
    room = item.path.relative_to(Path(__file__).parent).parts[0]
    if room in SECONDS and item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(SECONDS[room]))


@pytest.fixture(scope="session")
def server_command() -> list[str]:
    """The command that serves on standard input and output; DLLM_LSP_COMMAND names another, as of a wheel."""
    own = [sys.executable, "-P", "-m", "dllm_lsp", "--stdio"]
    return shlex.split(os.environ.get("DLLM_LSP_COMMAND", "")) or own


@pytest.fixture(scope="session")
def shared_runtime() -> Iterator[str]:
    """The runtime folder of all tests whose servers may share an engine; the socket needs a short path."""
    with tempfile.TemporaryDirectory(prefix="dllm-", ignore_cleanup_errors=True) as runtime:
        yield runtime


@pytest.fixture
def server_environment(request: pytest.FixtureRequest, shared_runtime: str) -> Iterator[dict[str, str]]:
    """An environment whose engine no other server of this user shares, nor, if marked so, of another test."""
    if request.node.get_closest_marker("own_engine") is None:
        yield {**os.environ, "XDG_RUNTIME_DIR": shared_runtime, "XDG_DATA_HOME": shared_runtime}
        return
    with tempfile.TemporaryDirectory(prefix="dllm-", ignore_cleanup_errors=True) as runtime:
        yield {
            **os.environ,
            "XDG_RUNTIME_DIR": runtime,
            "XDG_DATA_HOME": runtime,
        }  # nothing fetched, nothing tuned
