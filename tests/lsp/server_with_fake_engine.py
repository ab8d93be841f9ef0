"""A server's process as an editor starts it, but that its engine's process has the fake engine.

Started by a test; not a test itself.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from fake_editor import COMMAND

from dllm_lsp.assist import engines
from dllm_lsp.cli import main
from dllm_lsp.client.client import EngineClient

if __name__ == "__main__":
    engines.EngineClient = partial(EngineClient, command=COMMAND)  # type: ignore[misc, assignment]
    sys.exit(main(["--stdio"]))
