"""Messages over a connection, by socket and by loopback TCP."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dllm_lsp.wire import channel as channels
from dllm_lsp.wire.channel import Channel, connect, listen
from dllm_lsp.wire.messages import Cancel, Failure, Ping, Pong, Status, ToClient, ToEngine


@pytest.fixture(params=["socket", "TCP"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to connect, whatever this system's own is."""
    if request.param == "TCP":
        monkeypatch.setattr(channels, "UNIX", False)
    elif not channels.UNIX:
        pytest.skip("this system has no Unix sockets")
    return str(request.param)


@asynccontextmanager
async def pair(path: Path) -> AsyncIterator[tuple[Channel[ToClient], Channel[ToEngine]]]:
    """Yield a client's and an engine's end of one connection."""
    arrived: asyncio.Future[Channel[ToEngine]] = asyncio.get_running_loop().create_future()

    async def serve(channel: Channel[ToEngine]) -> None:
        arrived.set_result(channel)

    server = await listen(path, serve)
    client = await connect(path)
    async with asyncio.timeout(10):
        engine = await arrived
    yield client, engine
    client.abort()
    engine.abort()
    server.close()


async def test_messages_arrive_whole_and_in_order(kind: str, folder: Path):
    async with pair(folder / "socket") as (client, engine):
        for number in range(3):
            client.send(Cancel(number))
        assert [await engine.receive() for _ in range(3)] == [Cancel(0), Cancel(1), Cancel(2)]
        engine.send(Failure(7, "é" * 100_000))
        assert await client.receive() == Failure(7, "é" * 100_000)


async def test_only_the_owner_can_open_it(kind: str, folder: Path):
    async with pair(folder / "socket"):
        assert stat.S_IMODE((folder / "socket").stat().st_mode) == 0o600


async def test_the_end_of_a_connection_is_a_connection_error(kind: str, folder: Path):
    async with pair(folder / "socket") as (client, engine):
        engine.send(Pong())
        engine.close()
        assert await client.receive() == Pong()
        with pytest.raises(ConnectionError):
            await client.receive()
        client.close()
        client.send(Ping())  # to nobody, without harm


async def test_a_peer_that_never_reads_is_disconnected(kind: str, folder: Path):
    async with pair(folder / "socket") as (client, engine):
        assert not engine.is_crowded
        for _ in range(5):
            engine.send(Failure(1, "x" * 1_000_000))
        assert engine.is_crowded
        for _ in range(5):
            await client.receive()
        for _ in range(20):
            engine.send(Failure(1, "x" * 1_000_000))
        with pytest.raises(ConnectionError):
            await _received(client, 20)


async def test_who_does_not_know_the_token_is_turned_away(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channels, "UNIX", False)
    path = folder / "socket"
    async with pair(path):
        port, token = path.read_text().split()
        path.write_text(f"{port} {token[::-1]}")
        with pytest.raises(ConnectionError):
            await (await connect(path)).receive()


@pytest.mark.parametrize("status", [Status(state="loading"), Status(state="failed", detail="why")])
async def test_defaults_survive_the_journey(folder: Path, status: Status):
    async with pair(folder / "socket") as (client, engine):
        engine.send(status)
        assert await client.receive() == status


async def _received(channel: Channel[ToClient], count: int) -> None:
    for _ in range(count):
        await channel.receive()
