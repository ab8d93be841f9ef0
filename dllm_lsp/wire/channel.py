"""A connection that carries messages, on either side, and how it is opened.

A Unix socket where there is one; elsewhere loopback TCP, whose port and random token lie in an owner-only
file at the socket's path. Knows nothing of what the messages mean.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import MsgspecError, msgpack

from dllm_lsp.wire.messages import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    ToClient,
    ToEngine,
    frame,
    to_client_decoder,
    to_engine_decoder,
)

UNIX = hasattr(socket, "AF_UNIX")
TOKEN_BYTES = 32
TOKEN_SECONDS = 5.0
CROWDED_BYTES = 256 * 1024  # unread by the peer: drafts are left out
DEAF_BYTES = 8 * 1024 * 1024  # unread by the peer: it is disconnected

Incoming = TypeVar("Incoming")


class Channel(Generic[Incoming]):
    """Messages over one connection; whatever goes wrong with it is a ConnectionError from `receive`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decoder: msgpack.Decoder[Incoming]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = decoder

    async def receive(self) -> Incoming:
        """Return the next message; raises ConnectionError at the end and for what is no message."""
        try:
            size = int.from_bytes(await self._reader.readexactly(HEADER_BYTES), "big")
            if size > MAX_FRAME_BYTES:
                raise ConnectionError(f"the peer announced a message of {size} bytes")
            return self._decoder.decode(await self._reader.readexactly(size))
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the peer closed the connection") from error
        except (MsgspecError, UnicodeDecodeError) as error:
            raise ConnectionError(f"the peer sent something else than a message: {error}") from error
        except OSError as error:
            raise ConnectionError(str(error)) from error

    def send(self, message: ToEngine | ToClient) -> None:
        """Queue a message; a peer that reads none of them is disconnected.

        Raises ValueError as `frame` does.
        """
        data = frame(message)
        if self._unread > DEAF_BYTES:
            self.abort()
        if not self._writer.is_closing():
            self._writer.write(data)

    @property
    def is_crowded(self) -> bool:
        """Whether the peer reads so slowly that what can be left out should be."""
        return self._unread > CROWDED_BYTES

    def close(self) -> None:
        """Close once what is queued has been sent."""
        self._writer.close()

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()

    @property
    def _unread(self) -> int:
        return self._writer.transport.get_write_buffer_size()


async def connect(path: Path) -> Channel[ToClient]:
    """Connect to the engine at `path`; FileNotFoundError or ConnectionRefusedError when there is none."""
    if UNIX:
        reader, writer = await asyncio.open_unix_connection(path)
    else:
        port, token = path.read_text().split()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(token.encode())
    return Channel(reader, writer, to_client_decoder)


async def listen(path: Path, serve: Callable[[Channel[ToEngine]], Awaitable[None]]) -> asyncio.Server:
    """Listen at `path`, which must be free, and `serve` every connection of this user."""
    token = secrets.token_hex(TOKEN_BYTES // 2)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        known = _is_own(writer) if UNIX else await _has_token(reader, token)
        if not known:
            writer.transport.abort()
            return
        await serve(Channel(reader, writer, to_engine_decoder))

    if UNIX:
        server = await asyncio.start_unix_server(accept, path)
        path.chmod(0o600)
        return server
    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{port} {token}")
    draft.replace(path)  # at once, so that nobody reads half of it
    return server


def _is_own(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer runs as this user; where the system cannot tell, the folder's mode must do."""
    if sys.platform != "linux":
        return True
    credentials = writer.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    _, user, _ = struct.unpack("3i", credentials)
    return bool(user == os.getuid())


async def _has_token(reader: asyncio.StreamReader, token: str) -> bool:
    try:
        async with asyncio.timeout(TOKEN_SECONDS):
            return hmac.compare_digest(await reader.readexactly(TOKEN_BYTES), token.encode())
    except (TimeoutError, OSError, EOFError):
        return False
