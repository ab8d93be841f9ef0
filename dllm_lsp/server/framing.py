"""Message bodies in a byte stream, each behind its Content-Length header. Knows none of their meaning."""

from __future__ import annotations

import asyncio
import re

MAX_BODY_BYTES = 256 * 1024 * 1024

_CONTENT_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,12})[ \t]*\r?\n$", re.IGNORECASE)


async def read_body(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next body, or None at the end of the stream. What is no header is passed over."""
    length: int | None = None
    while True:
        try:
            line = await reader.readline()
        except ValueError:  # longer than any header; the reader has dropped it
            continue
        except ConnectionError:
            return None
        if not line:
            return None
        if header := _CONTENT_LENGTH.search(line):
            length = int(header[1])
        elif not line.strip() and length is not None and length <= MAX_BODY_BYTES:
            break
    try:
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def framed(body: bytes) -> bytes:
    """Return the body behind its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
