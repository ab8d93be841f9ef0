"""The engine's process, started by a client's supervisor and never by hand."""

from __future__ import annotations

import os

from dllm_lsp.host import process
from dllm_lsp.host.engine import Engine, Report, Wanted
from dllm_lsp.host.memory import trim


def load(wanted: Wanted, report: Report) -> Engine:
    """Load the engine, which takes seconds. What it raises is for the user to read."""
    # Here, because torch takes seconds to import, and clients are to hear meanwhile that the model loads.
    from dllm_lsp.engine.engine import Engine as DiffusionEngine  # noqa: PLC0415

    engine = DiffusionEngine.load(
        wanted.model, wanted.device, wanted.threads, wanted.precision, report, memory=wanted.memory
    )
    trim()
    return engine


if __name__ == "__main__":
    # Read when torch is imported. Threads that spin while they wait make a pass ten times slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    process.main(load)
