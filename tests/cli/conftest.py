"""The command line in a process of its own, as a person starts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(server_environment: dict[str, str], tmp_path: Path) -> Run:
    """Runs a command in a folder of its own; its engine ends soon after it."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "dllm_lsp", "--set=engine.linger=2", *arguments],
            env=server_environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    return run
