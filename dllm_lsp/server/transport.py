"""Runs sessions: one over standard input and output, or one for each client of a TCP port."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from contextlib import suppress
from functools import partial

from dllm_lsp.server.features import new_session
from dllm_lsp.server.watch import watch_client
from dllm_lsp.settings import Settings

CHUNK_BYTES = 64 * 1024


def serve(settings: Settings, tcp: tuple[str, int] | None) -> int:
    """Serve as `dllm_lsp.server.run` says."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # it logs what clients send; a session logs defects
    if tcp is None:
        return asyncio.run(_serve_stdio(settings))
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve_tcp(settings, *tcp))
    return 0


async def _serve_stdio(settings: Settings) -> int:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    # A thread, since not every standard input can be polled; a daemon, since it may block for ever.
    threading.Thread(target=_pump, args=(sys.stdin.fileno(), loop, reader), daemon=True).start()
    session = new_session(settings)
    watch = asyncio.create_task(watch_client(session))
    try:
        return await session.serve(reader, partial(_write_all, _private_stdout()))
    finally:
        watch.cancel()


async def _serve_tcp(settings: Settings, host: str, port: int) -> None:
    async def serve_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await new_session(settings).serve(reader, writer.write)
        finally:
            writer.close()

    server = await asyncio.start_server(serve_client, host, port)
    for socket in server.sockets:
        address, number = socket.getsockname()[:2]
        print(f"dllm-lsp: listening on {address}:{number}", file=sys.stderr, flush=True)
    async with server:
        await server.serve_forever()


def _private_stdout() -> int:
    """Return a descriptor of standard output, and let all else that is printed go to standard error."""
    private = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return private


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _pump(descriptor: int, loop: asyncio.AbstractEventLoop, reader: asyncio.StreamReader) -> None:
    """Bring what arrives at a descriptor to the event loop."""
    with suppress(RuntimeError):  # the loop has ended before the stream
        with suppress(OSError):
            while data := os.read(descriptor, CHUNK_BYTES):
                loop.call_soon_threadsafe(reader.feed_data, data)
        loop.call_soon_threadsafe(reader.feed_eof)
