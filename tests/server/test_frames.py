import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from pygls.io_ import run_async

from dllm_lsp.server.frames import MAX_BODY_BYTES, MessageReader, MessageWriter


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def messages(stream: bytes) -> list[Any]:
    """What pygls reads."""
    source = asyncio.StreamReader()
    source.feed_data(stream)
    source.feed_eof()
    found: list[Any] = []
    protocol = SimpleNamespace(structure_message=dict, handle_message=found.append)
    never = SimpleNamespace(is_set=lambda: False)
    await run_async(never, MessageReader(source), protocol)
    return found


async def test_messages_come_one_by_one() -> None:
    bodies = [{}, {"a": "é\r\n"}, [1]]
    assert await messages(b"".join(framed(json.dumps(body).encode()) for body in bodies)) == bodies


@pytest.mark.parametrize(
    "header",
    [
        b"content-length: 2\r\n\r\n",
        b"Content-Length:2\n\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 2\r\nContent-Type: x\r\n\r\n",
    ],
)
async def test_headers_as_clients_write_them(header: bytes) -> None:
    assert await messages(header + b"{}") == [{}]


@pytest.mark.parametrize(
    "junk",
    [
        b"hello\r\n\r\n",
        b"\x00\xff" * 100_000 + b"\n",  # longer than any header
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: many\r\n\r\n",
        b"Content-Length: 0\r\n\r\n",
        b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b'{"left": "over"}',
    ],
)
async def test_junk_is_passed_over(junk: bytes) -> None:
    assert await messages(framed(b"1") + junk + framed(b"2")) == [1, 2]


@pytest.mark.parametrize("rest", [b"Content-Length: 9\r\n\r\n{}", b"Content-Length: 9\r\n", b"Content-"])
async def test_a_stream_that_breaks_off_has_ended(rest: bytes) -> None:
    assert await messages(framed(b"1") + rest) == [1]


async def test_what_a_message_starts_begins_before_the_next_is_read() -> None:
    source = asyncio.StreamReader()
    source.feed_data(framed(b"1") + framed(b"2"))
    source.feed_eof()
    seen: list[str] = []
    tasks = []

    async def handler(message: int) -> None:
        seen.append(f"begun {message}")

    def handle(message: int) -> None:
        seen.append(f"read {message}")
        tasks.append(asyncio.ensure_future(handler(message)))

    protocol = SimpleNamespace(structure_message=dict, handle_message=handle)
    never = SimpleNamespace(is_set=lambda: False)
    await run_async(never, MessageReader(source), protocol)
    assert seen[:3] == ["read 1", "begun 1", "read 2"]


def test_each_message_is_written_behind_its_length() -> None:
    written: list[bytes] = []
    MessageWriter(written.append, pytest.fail).write("é".encode())
    assert written == [b"Content-Length: 2\r\n\r\n\xc3\xa9"]


def test_a_reader_that_is_gone_is_told_of() -> None:
    def broken(data: bytes) -> None:
        raise BrokenPipeError

    told: list[str] = []
    MessageWriter(broken, lambda: told.append("broken")).write(b"{}")
    assert told == ["broken"]
