"""The server under test, and folders of its own for its engine."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest

pytest_plugins = ["engine_processes"]

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def server_command() -> list[str]:
    """The command that serves on standard input and output; DLLM_LSP_COMMAND names another, as of a wheel."""
    own = [sys.executable, "-P", "-m", "dllm_lsp", "--stdio"]
    return shlex.split(os.environ.get("DLLM_LSP_COMMAND", "")) or own


@pytest.fixture(scope="session")
def server_environment() -> Iterator[dict[str, str]]:
    """An environment whose engine no other server of this user shares; the socket needs a short path."""
    with tempfile.TemporaryDirectory(prefix="dllm-", ignore_cleanup_errors=True) as runtime:
        yield {**os.environ, "XDG_RUNTIME_DIR": runtime}
