"""The language server: translates LSP, and does nothing else."""

from __future__ import annotations

import gc

from dllm_lsp.settings import Settings


def run(settings: Settings, *, tcp: tuple[str, int] | None = None) -> int:
    """Serve LSP until the client leaves, or over TCP until interrupted, and return the exit status.

    Raises OSError when the TCP address cannot be used. Diagnostics go to standard error.
    """
    # What is imported here, hundreds of classes of lsprotocol above all, stays until the end: looking for garbage
    # among it would take 35 ms of the start, and as much again now and then.
    gc.disable()
    from dllm_lsp.server.transport import serve  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    return serve(settings, tcp)
