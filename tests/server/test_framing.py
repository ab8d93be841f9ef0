import asyncio

import pytest

from dllm_lsp.server.framing import MAX_BODY_BYTES, framed, read_body


async def bodies(stream: bytes) -> list[bytes]:
    reader = asyncio.StreamReader()
    reader.feed_data(stream)
    reader.feed_eof()
    found = []
    while (body := await read_body(reader)) is not None:
        found.append(body)
    return found


async def test_bodies_come_one_by_one() -> None:
    assert await bodies(framed(b"{}") + framed(b"") + framed("é\r\n".encode())) == [
        b"{}",
        b"",
        "é\r\n".encode(),
    ]


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
    assert await bodies(header + b"{}") == [b"{}"]


@pytest.mark.parametrize(
    "junk",
    [
        b"hello\r\n\r\n",
        b"\x00\xff" * 100_000 + b"\n",  # longer than any header
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: many\r\n\r\n",
        b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b'{"left": "over"}',
    ],
)
async def test_junk_is_passed_over(junk: bytes) -> None:
    assert await bodies(framed(b"a") + junk + framed(b"b")) == [b"a", b"b"]


@pytest.mark.parametrize("rest", [b"Content-Length: 9\r\n\r\n{}", b"Content-Length: 9\r\n", b"Content-"])
async def test_a_stream_that_breaks_off_has_ended(rest: bytes) -> None:
    assert await bodies(framed(b"a") + rest) == [b"a"]
