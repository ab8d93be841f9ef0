"""Notices that a client has died without saying so. Knows processes by their ids alone."""

from __future__ import annotations

import asyncio
import os

from dllm_lsp.server.session import Session

WATCH_SECONDS = 1.0


async def watch_client(session: Session) -> None:
    """Close the session when the client's process is gone, even if its end of the pipe is not.

    A process that was never seen is one that cannot be seen from here, as from inside a container.
    """
    if os.name == "nt":  # where os.kill ends a process
        return
    seen = False
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        alive = session.process_id is not None and _is_alive(session.process_id)
        if seen and not alive:
            session.shutdown()
            return
        seen = seen or alive


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
