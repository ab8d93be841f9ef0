"""A repository of the user's, to be fine-tuned on."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    for number in range(8):
        lines = (f"def f{number}_{line}(a):\n    return a + {line}\n" for line in range(60))
        (folder / f"{number}.py").write_text("".join(lines))
    return folder
