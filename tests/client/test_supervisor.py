"""Finding, starting and ending an engine's process."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import psutil
import pytest
from fake_editor import COMMAND, engine_settings, engines

from dllm_lsp.client.identity import identity
from dllm_lsp.client.place import find_place
from dllm_lsp.client.supervisor import Supervisor
from dllm_lsp.wire.channel import Channel
from dllm_lsp.wire.errors import StartError
from dllm_lsp.wire.log import log_path
from dllm_lsp.wire.messages import Status, ToClient

SETTINGS = engine_settings()


async def model_of(channel: Channel[ToClient]) -> str:
    """Return what the engine says of its model once it is ready, and hang up."""
    async with asyncio.timeout(20):
        while True:
            message = await channel.receive()
            if isinstance(message, Status) and message.state == "ready":
                channel.close()
                return message.model


async def until_dead(child: psutil.Process) -> None:
    """Wait until all of the child's threads have ended, and leave it as a zombie."""
    await asyncio.to_thread(os.waitid, os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


async def test_processes_that_start_at_once_share_one_engine(folder: Path):
    code = (
        "import asyncio, sys; sys.path[:0] = sys.argv[1:]\n"
        "from test_supervisor import *\n"
        "async def main(): print(await model_of(await Supervisor(SETTINGS, COMMAND).connect()))\n"
        "asyncio.run(main())"
    )
    starters = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *map(str, Path(__file__).parents[:2]), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    async with asyncio.timeout(60):
        outputs = [(await starter.communicate())[0] for starter in starters]
    assert outputs[0].startswith(b"fake ")
    assert len(set(outputs)) == 1


@pytest.mark.parametrize("left", ["socket", "file", "nothing"])
async def test_what_a_dead_engine_left_is_cleaned(folder: Path, left: str):
    place = find_place(identity(SETTINGS))
    if left == "socket":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(place.socket))
    elif left == "file":
        place.socket.write_text("")
    place.pid.write_text("999999999")
    supervisor = Supervisor(SETTINGS, COMMAND)
    channel = await supervisor.connect()
    assert place.pid.read_text() in await model_of(channel)


async def test_a_killed_engine_leaves_no_zombie(folder: Path):
    supervisor = Supervisor(SETTINGS, COMMAND)
    (await supervisor.connect()).close()
    [first] = engines(folder)
    first.kill()
    await until_dead(first)
    (await supervisor.connect()).close()
    assert not first.is_running()


async def test_only_the_engine_that_was_connected_to_is_ended(folder: Path):
    one, other = Supervisor(SETTINGS, COMMAND), Supervisor(SETTINGS, COMMAND)
    (await one.connect()).close()
    (await other.connect()).close()
    await one.end()
    channel = await one.connect()
    await other.end()  # it knows the first one, which is gone
    model = await model_of(channel)
    assert model.startswith("fake ")
    assert await model_of(await one.connect()) == model
    assert len([process for process in engines(folder) if process.status() != psutil.STATUS_ZOMBIE]) == 1


async def test_a_stale_number_kills_nobody(folder: Path):
    """The engine's number may be another process's by the time its client wants it ended."""
    supervisor = Supervisor(SETTINGS, COMMAND)
    (await supervisor.connect()).close()
    [engine] = engines(folder)
    engine.kill()
    await until_dead(engine)
    killed: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "kill", lambda pid, number: killed.append(pid))
        await supervisor.end()
    assert killed == []


async def test_ending_before_connecting_is_harmless(folder: Path):
    await Supervisor(SETTINGS, COMMAND).end()


async def test_a_missing_program_is_an_error(folder: Path):
    with pytest.raises(OSError, match="nowhere"):
        await Supervisor(SETTINGS, ("/nowhere/python",)).connect()


async def test_a_process_that_ends_at_once_is_an_error_with_its_last_words(folder: Path):
    with pytest.raises(StartError, match=r"no such interpreter.*engine\.log"):
        await Supervisor(engine_settings("/unstartable"), COMMAND).connect()


async def test_a_process_that_never_listens_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dllm_lsp.client.supervisor.START_SECONDS", 0.2)
    command = (sys.executable, "-c", "import sys, time; time.sleep(600)")
    log_path().parent.mkdir(parents=True, exist_ok=True)
    log_path().write_text("the last words of another one\n")
    with pytest.raises(StartError, match="nothing was logged"):
        await Supervisor(SETTINGS, command).connect()


async def test_without_a_state_folder_the_engine_starts_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
    assert (await model_of(await Supervisor(SETTINGS, COMMAND).connect())).startswith("fake ")
