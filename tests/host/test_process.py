"""The engine's process against clients that are not ours."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from fake_editor import Editor, engines, until
from fake_engine import FakeEngine

from dllm_lsp.host.process import serve
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.wire.channel import Channel, connect
from dllm_lsp.wire.messages import (
    MAX_FRAME_BYTES,
    Cancel,
    Drafted,
    Dropped,
    Failure,
    Filled,
    Infill,
    Ping,
    Pong,
    Status,
    ToClient,
    frame,
)

HOLE = Hole(before="abc", after="", language="python")


class Stranger:
    """A raw connection to the engine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read_to_end(self) -> None:
        """Return when the engine has hung up; a TimeoutError if it does not."""
        async with asyncio.timeout(10):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                return


@pytest_asyncio.fixture
async def editor(open_editor: Callable[..., Editor]) -> Editor:
    return await open_editor().ready()


@pytest.fixture
def socket_path(editor: Editor, folder: Path) -> Path:
    [path] = folder.rglob("*.sock")
    return path


@pytest_asyncio.fixture
async def stranger(socket_path: Path) -> AsyncIterator[Stranger]:
    reader, writer = await asyncio.open_unix_connection(socket_path)
    yield Stranger(reader, writer)
    writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x05hello",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x06" + b"\xff" * 6,
        b"\x00\x00\x00\x00",
        frame(Status(state="ready")),
        b"\x00\x00\x00\x0b\x81\xa4type\xa4\xc3\x28\xa0\xa1",
    ],
    ids=["garbage", "http", "oversized", "bad MessagePack", "empty", "wrong direction", "bad UTF-8"],
)
async def test_who_speaks_otherwise_is_disconnected_and_others_are_served(
    editor: Editor, stranger: Stranger, data: bytes
):
    stranger.writer.write(data)
    await stranger.read_to_end()
    assert await editor.infill() is not None
    assert editor.notices == []


async def test_half_a_message_and_an_end_disturb_nobody(editor: Editor, stranger: Stranger):
    stranger.writer.write(frame(Infill(id=1, document="a", method="m", hole=HOLE))[:20])
    stranger.writer.write_eof()
    await stranger.read_to_end()
    assert await editor.infill() is not None


async def test_a_client_that_does_not_read_costs_no_memory(editor: Editor, stranger: Stranger):
    process = psutil.Process(editor.pid)
    before = process.memory_info().rss
    request = Infill(
        id=1, document="huge", method="m", hole=HOLE, limits=Limits(passes=100), drafts=True
    )  # 20 MB of drafts
    stranger.writer.write(frame(request))
    await stranger.writer.drain()
    assert await editor.infill() is not None  # after the huge one
    assert process.memory_info().rss - before < 5_000_000


async def test_too_many_waiting_requests_are_refused(editor: Editor, stranger: Stranger):
    for number in range(200):
        stranger.writer.write(frame(Infill(id=number, document=str(number), method="m", hole=HOLE)))
    async with asyncio.timeout(10):
        await stranger.reader.readuntil(b"Too many requests")
    assert await editor.infill() is not None


async def test_pings_are_answered_only_while_the_engine_moves(editor: Editor, socket_path: Path):
    channel = await connect(socket_path)
    assert isinstance(await channel.receive(), Status)
    channel.send(Ping())
    assert await channel.receive() == Pong()
    channel.send(Infill(id=1, document="hang", method="m", hole=HOLE, drafts=True))
    assert isinstance(await channel.receive(), Drafted)
    channel.send(Ping())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await channel.receive()
    channel.close()


def ask(channel: Channel[ToClient], number: int, document: str, passes: int) -> None:
    limits = Limits(passes=passes)
    channel.send(Infill(id=number, document=document, method="m", hole=HOLE, limits=limits, drafts=True))


async def heard(channel: Channel[ToClient], last: type) -> list[ToClient]:
    """Return what a client hears, up to a message of that type."""
    messages: list[ToClient] = []
    async with asyncio.timeout(20):
        while not messages or not isinstance(messages[-1], last):
            messages.append(await channel.receive())
    return messages


def companies(messages: list[ToClient], number: int) -> list[str]:
    """Return which documents each step of a request was made with."""
    drafts = [message.draft for message in messages if isinstance(message, Drafted) and message.id == number]
    assert [draft.step for draft in drafts] == list(range(1, len(drafts) + 1)), "every step is told once"
    return [draft.pieces[0].text or "" for draft in drafts]


async def test_clients_share_steps_and_what_fails_or_is_dropped_leaves_the_others_alone(
    editor: Editor, socket_path: Path
):
    one, other = [await connect(socket_path) for _ in range(2)]
    ask(one, 1, "together, long", 150)
    ask(other, 1, "together, endless", 10**9)
    first = await heard(one, Drafted)
    await heard(other, Drafted)
    ask(other, 2, "together, short", 10)
    assert (await heard(other, Filled))[-1].id == 2
    ask(other, 3, "together, fails later", 10)
    ask(other, 4, "error at once", 10)
    failures = {(await heard(other, Failure))[-1] for _ in range(2)}
    assert failures == {
        Failure(3, "this hole cannot be filled any further"),
        Failure(4, "this hole cannot be filled"),
    }
    other.send(Cancel(1))
    assert (await heard(other, Dropped))[-1] == Dropped(1, "cancelled")
    messages = [*first, *await heard(one, Filled)]
    assert messages[-1].infilled.steps == 150
    steps = companies(messages, 1)
    assert len(steps) == 150
    assert sum(step == "together, endless\ntogether, long\ntogether, short" for step in steps) == 10
    assert sum("together, fails later" in step for step in steps) == 1
    assert not any("error at once" in step for step in steps)
    assert steps[-1] == "together, long"
    one.close()
    other.close()


async def test_only_the_user_can_open_the_socket(socket_path: Path):
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o700


async def test_the_socket_that_another_engine_put_there_stays(folder: Path):
    path = folder / "socket"
    serving = asyncio.create_task(serve(path, lambda report: FakeEngine("cpu", "fp32"), linger=0.2))
    await until(lambda: path.exists() and stat.S_IMODE(path.stat().st_mode) == 0o600)
    path.rename(folder / "own")
    path.write_text("another's")
    await asyncio.wait_for(serving, 10)
    assert path.read_text() == "another's"


async def test_the_process_is_out_of_the_editors_group_and_holds_none_of_its_files(
    editor: Editor, folder: Path
):
    [process] = engines(folder)
    session = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[3]
    assert int(session) == process.pid
    targets = [Path(f"/proc/{process.pid}/fd/{number}").readlink() for number in range(3)]
    assert targets == [Path("/dev/null"), Path("/dev/null"), folder / "dllm-lsp" / "engine.log"]


async def test_an_idle_engine_uses_no_processor_time(editor: Editor):
    process = psutil.Process(editor.pid)
    await editor.infill()
    await asyncio.sleep(0.2)  # its thread comes to rest
    before = process.cpu_times(), process.num_ctx_switches()
    await asyncio.sleep(1)
    assert (process.cpu_times(), process.num_ctx_switches()) == before


def test_nothing_loads_torch_before_the_engine_is_asked_for():
    code = (
        "import sys, dllm_lsp.client.client, dllm_lsp.host.__main__; "
        "print([name for name in ('torch', 'numpy', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
