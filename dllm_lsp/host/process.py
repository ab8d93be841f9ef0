"""The process that an engine lives in: serves every client of its user, and ends when they have left.

Does not know which engine: `__main__` brings it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from dllm_lsp.host.engine import Engine, Report, Wanted
from dllm_lsp.host.host import Host
from dllm_lsp.wire.channel import listen
from dllm_lsp.wire.log import log_to_stderr

Load = Callable[[Wanted, Report], Engine]


def main(load: Load, arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve what `load(wanted, report)` returns until the last client has left.

    `load` may take its time, on a thread of its own; what it raises, clients read.
    """
    log_to_stderr()
    options = _parser().parse_args(arguments)
    wanted = Wanted(options.model, options.device, options.precision, options.threads, options.memory)
    asyncio.run(serve(options.socket, partial(load, wanted), options.linger))
    os._exit(0)  # not sys.exit: it would wait for the engine's thread, which may be loading, or hang


async def serve(socket: Path, load: Callable[[Report], Engine], linger: float) -> None:
    """Listen at `socket` and serve until `linger` seconds after the last connection has closed."""
    host = Host(load, linger)
    server = await listen(socket, host.serve)
    own = socket.stat().st_ino
    logging.info("listening at %s", socket)
    await host.run()
    # Before the server stops listening: after that, a client may put another engine's socket here.
    if socket.exists() and socket.stat().st_ino == own:
        socket.unlink()
    server.close()
    logging.info("ended")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dllm_lsp.host")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory", type=int, required=True, help="megabytes")
    parser.add_argument("--linger", type=float, required=True, help="seconds")
    return parser
