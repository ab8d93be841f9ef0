import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from dllm_lsp.server.framing import framed
from dllm_lsp.server.jsonrpc import METHOD_NOT_FOUND, Connection, Handler, RpcError

PATIENCE = 10.0


class Echo(msgspec.Struct):
    text: str


class Peer:
    """A connection with a few methods, and the other side of it."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        self.received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.connection = Connection(self.reader, self._take, self._find)
        self.never = asyncio.Event()
        self.serving = asyncio.ensure_future(self.connection.serve())
        self.methods = {
            "echo": Handler(Echo, lambda params: params.text),
            "wait": Handler(Any, lambda _: self.never.wait()),
            "fail": Handler(Any, lambda _: 1 / 0),
            "failLater": Handler(Any, lambda _: self._fail()),
        }

    def _take(self, data: bytes) -> None:
        self.received.put_nowait(json.loads(data.partition(b"\r\n\r\n")[2]))

    def _find(self, method: str) -> Handler:
        if method not in self.methods:
            raise RpcError(METHOD_NOT_FOUND, method)
        return self.methods[method]

    async def _fail(self) -> None:
        raise KeyError("later")

    def send(self, body: bytes | str) -> None:
        self.reader.feed_data(framed(body.encode() if isinstance(body, str) else body))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.received.get()

    async def still_serves(self) -> bool:
        self.send('{"jsonrpc":"2.0","id":"last","method":"echo","params":{"text":"here"}}')
        return await self.receive() == {"jsonrpc": "2.0", "id": "last", "result": "here"}


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    yield peer
    peer.reader.feed_eof()
    await asyncio.wait_for(peer.serving, PATIENCE)


@pytest.mark.parametrize(
    ("body", "id", "code"),
    [
        (b"{", None, -32700),
        (b"", None, -32700),
        (b"\xff\xfe{}", None, -32700),
        (b'{"result":' + b"[" * 100_000, None, -32700),
        (b"[]", None, -32600),
        (b"3", None, -32600),
        (b'{"id":{},"method":"echo"}', None, -32600),
        (b'{"id":1,"method":7}', None, -32600),
        (b'{"id":1,"method":"nothing"}', 1, -32601),
        (b'{"id":1,"method":"echo"}', 1, -32602),
        (b'{"id":1,"method":"echo","params":[1]}', 1, -32602),
        (b'{"id":1,"method":"echo","params":{"text":5}}', 1, -32602),
        (b'{"id":"x","method":"fail"}', "x", -32603),
        (b'{"id":1,"method":"failLater"}', 1, -32603),
    ],
)
async def test_a_bad_request_is_answered_and_the_next_one_served(
    peer: Peer, body: bytes, id: int | None, code: int
) -> None:
    peer.send(body)
    answer = await peer.receive()
    assert answer["id"] == id
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]
    assert await peer.still_serves()


@pytest.mark.parametrize(
    "body",
    [
        '{"method":"nothing"}',
        '{"method":"echo","params":5}',
        '{"method":"fail"}',
        '{"method":"failLater"}',
        '{"method":"$/cancelRequest","params":{"id":77}}',
        '{"method":"$/cancelRequest","params":"x"}',
        '{"id":77,"result":null}',
        '{"id":null,"error":{"code":1,"message":"?"}}',
        "{}",
    ],
)
async def test_what_is_no_request_is_never_answered(peer: Peer, body: str) -> None:
    peer.send(body)
    assert await peer.still_serves()


async def test_a_cancelled_request_is_answered_as_cancelled(peer: Peer) -> None:
    peer.send('{"id":5,"method":"wait"}')
    peer.send('{"method":"$/cancelRequest","params":{"id":5}}')
    assert (await peer.receive())["error"]["code"] == -32800
    assert await peer.still_serves()


async def test_a_waiting_request_does_not_hold_up_others(peer: Peer) -> None:
    peer.send('{"id":5,"method":"wait"}')
    assert await peer.still_serves()
    peer.never.set()
    assert await peer.receive() == {"jsonrpc": "2.0", "id": 5, "result": True}


@pytest.mark.parametrize(
    ("sent", "read"),
    [(r"a\ud83db", "a�b"), (r"\ude00", "�"), (r"\ud83d\ude00", "😀"), (r"\\ud83d", r"\ud83d")],
)
async def test_half_a_surrogate_pair_becomes_one_replacement(peer: Peer, sent: str, read: str) -> None:
    peer.send(f'{{"id":1,"method":"echo","params":{{"text":"{sent}"}}}}')
    assert (await peer.receive())["result"] == read


async def test_requests_of_ours_get_their_answers(peer: Peer) -> None:
    first = asyncio.ensure_future(peer.connection.request("ask", {"n": 1}))
    second = asyncio.ensure_future(peer.connection.request("ask", {"n": 2}))
    asked = [await peer.receive(), await peer.receive()]
    assert [message["params"] for message in asked] == [{"n": 1}, {"n": 2}]
    peer.send(json.dumps({"id": asked[1]["id"], "result": "two"}))
    peer.send(json.dumps({"id": asked[0]["id"], "error": {"code": 1, "message": "no"}}))
    assert await second == "two"
    with pytest.raises(RpcError, match="no"):
        await first


async def test_what_still_runs_when_the_stream_ends_is_cancelled(peer: Peer) -> None:
    stopped = asyncio.Event()

    async def work() -> None:
        try:
            await peer.never.wait()
        finally:
            stopped.set()

    peer.connection.run(work())
    await asyncio.sleep(0)
    peer.reader.feed_eof()
    await asyncio.wait_for(stopped.wait(), PATIENCE)


async def test_a_reader_that_is_gone_ends_the_conversation(peer: Peer) -> None:
    def broken(data: bytes) -> None:
        raise BrokenPipeError

    peer.connection._write = broken
    peer.send('{"id":1,"method":"echo","params":{"text":""}}')
    await asyncio.wait_for(asyncio.shield(peer.serving), PATIENCE)
