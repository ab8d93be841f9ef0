"""An engine's process that looks for adapters that ship with the package in the folder TINY_ADAPTERS.

Started by the tests as the real one is; not a test itself.
"""

from __future__ import annotations

import os
from pathlib import Path

from dllm_lsp.host import process
from dllm_lsp.host.__main__ import load

if __name__ == "__main__":
    from dllm_lsp.models.checkpoints import causal

    causal.ADAPTERS = Path(os.environ["TINY_ADAPTERS"])
    process.main(load)
