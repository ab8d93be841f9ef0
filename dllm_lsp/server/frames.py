"""Both ends of a client's byte stream as pygls wants them. Knows headers, and no message's meaning."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

MAX_BODY_BYTES = 256 * 1024 * 1024

_CONTENT_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,12})\s*$", re.IGNORECASE)


class MessageReader:
    """Reads from a stream; passes over all that is no header of a message which can be read."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream

    async def readline(self) -> bytes:
        """Return the next line of a header, spelled as pygls knows it; nothing at the end of the stream."""
        while True:
            try:
                line = await self._stream.readline()
            except ValueError:  # longer than any header; the stream has dropped it
                continue
            except ConnectionError:
                return b""
            if not line.strip():
                return line
            header = _CONTENT_LENGTH.search(line)
            if header and int(header[1]) <= MAX_BODY_BYTES:
                return b"Content-Length: %d\r\n" % int(header[1])

    async def readexactly(self, n: int) -> bytes:
        """Return a body of `n` bytes; nothing if the stream ends within it."""
        # pygls starts an asynchronous handler as a task. Let that of the last message begin, so that it sees
        # the documents as they were, before a message that has arrived together with it changes them.
        await asyncio.sleep(0)
        try:
            return await self._stream.readexactly(n)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""


class MessageWriter:
    """Writes each message behind a header; calls `on_broken` when nobody reads any more."""

    def __init__(self, write: Callable[[bytes], Any], on_broken: Callable[[], Any]) -> None:
        self._write = write
        self._on_broken = on_broken

    def write(self, data: bytes) -> None:
        """Write one message's body."""
        try:
            self._write(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        except OSError:
            self._on_broken()

    def close(self) -> None:
        """Do nothing: whoever opened the stream closes it."""
