"""Reading in pieces and reading ahead, with a tiny adapted base in an engine behind a socket.

Its pieces are read one by one, as a test lets them; nothing is timed.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
import torch
from fake_editor import PATIENCE, until
from msgspec.structs import replace
from tiny_adapted import SOURCE, infilling, tokenizer

from dllm_lsp.engine.adapters.causal import NEAR, PIECE, CausalContext, CausalTokens
from dllm_lsp.engine.budget import Budget
from dllm_lsp.engine.engine import Engine
from dllm_lsp.host.process import serve
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.wire.channel import Channel, connect
from dllm_lsp.wire.messages import Cancel, Dropped, Filled, Forget, Infill, ReadAhead, Status, ToClient

pytestmark = pytest.mark.timeout(60)  # the first one imports transformers

HERE = Hole(SOURCE + "x = read(", ")\n" + SOURCE, "python")
THERE = Hole("y = ", "\n", "python")
UNHURRIED = Limits(tokens=4, milliseconds=1e9)


def tokens_of(hole: Hole) -> int:
    """Return how many tokens are read for a hole: all of its streams but the last known one, a canvas's first row."""
    tokens = infilling(snippets=1).read(hole)
    return sum(len(each.ids) for each in (tokens.before, tokens.rest, tokens.below, *tokens.snippets)) - 1


class Reader:
    """The engine, and how many tokens each piece had that it has read. Each ends when the test lets it."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self._allowed = threading.Semaphore(0)
        model = infilling(snippets=1)
        encode = model.encode

        def paced(context: CausalContext, tokens: CausalTokens, has_time: Callable[[], bool]) -> int:
            count = encode(context, tokens, has_time)
            if count:
                self.read.append(count)
                assert self._allowed.acquire(timeout=PATIENCE)
            return count

        model.encode = paced  # type: ignore[method-assign]
        self.engine = Engine(model, tokenizer(), "tiny", torch.device("cpu"))

    def allow(self, pieces: int = 10_000) -> None:
        """Let so many pieces end that are being read or will be."""
        self._allowed.release(pieces)

    async def until_in_piece(self, number: int) -> None:
        """Let the pieces before this one end, and wait until the engine is in it."""
        if number > 1:
            self.allow(number - 1)
        await until(lambda: len(self.read) == number)


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest_asyncio.fixture
async def channel(reader: Reader) -> AsyncIterator[Channel[ToClient]]:
    folder = Path(tempfile.mkdtemp(prefix="dl"))
    serving = asyncio.create_task(serve(folder / "socket", lambda report: reader.engine, linger=0.1))
    await until((folder / "socket").exists)
    channel = await connect(folder / "socket")
    while True:
        message = await channel.receive()
        if isinstance(message, Status) and message.state == "ready":
            break
    yield channel
    channel.close()
    reader.allow()
    await asyncio.wait_for(serving, PATIENCE)
    shutil.rmtree(folder)


def ask(channel: Channel[ToClient], number: int, hole: Hole = HERE, document: str = "a.py") -> None:
    channel.send(Infill(id=number, document=document, method="m", hole=hole, limits=UNHURRIED))


async def heard(channel: Channel[ToClient]) -> ToClient:
    """Return what the engine says next."""
    async with asyncio.timeout(PATIENCE):
        return await channel.receive()


async def filled(channel: Channel[ToClient], number: int) -> Infilled:
    """Return the answer to the request, the next that comes."""
    message = await heard(channel)
    assert isinstance(message, Filled)
    assert message.id == number
    return message.infilled


async def heard_out(channel: Channel[ToClient]) -> None:
    """Wait until the engine's process has taken all that was said, while the engine is in a piece."""
    ask(channel, 99, document="z.py")
    channel.send(Cancel(99))
    assert await heard(channel) == Dropped(99, "cancelled")


@pytest.mark.parametrize("reason", ["cancelled", "superseded"])
async def test_a_request_that_is_dropped_while_it_reads_ends_within_a_piece(
    reader: Reader, channel: Channel[ToClient], reason: Literal["cancelled", "superseded"]
) -> None:
    ask(channel, 1)
    await reader.until_in_piece(2)
    if reason == "cancelled":
        channel.send(Cancel(1))
    else:
        ask(channel, 2, THERE)
    await heard_out(channel)
    reader.allow(1)
    assert await heard(channel) == Dropped(1, reason)
    assert reader.read[:2] == [PIECE] * 2
    assert len(reader.read) <= (2 if reason == "cancelled" else 3)


async def test_what_was_read_for_a_request_that_was_dropped_stays(
    reader: Reader, channel: Channel[ToClient]
) -> None:
    ask(channel, 1)
    await reader.until_in_piece(2)
    channel.send(Cancel(1))
    await heard_out(channel)
    reader.allow()
    assert await heard(channel) == Dropped(1, "cancelled")
    ask(channel, 2)
    assert (await filled(channel, 2)).encoded == tokens_of(HERE) - 2 * PIECE


async def test_who_has_little_to_read_need_not_wait_for_who_has_much(
    reader: Reader, channel: Channel[ToClient]
) -> None:
    ask(channel, 1)
    await reader.until_in_piece(1)
    ask(channel, 2, THERE, "b.py")
    await heard_out(channel)
    reader.allow()
    answers = [await heard(channel), await heard(channel)]
    encoded = {each.id: each.infilled.encoded for each in answers if isinstance(each, Filled)}
    assert encoded == {1: tokens_of(HERE), 2: tokens_of(THERE)}
    assert reader.read[:3] == [PIECE, tokens_of(THERE), PIECE]


async def test_two_editors_at_two_places_of_one_document_do_not_undo_what_the_other_reads(
    reader: Reader, channel: Channel[ToClient]
) -> None:
    channel.send(Infill(id=1, document="a.py", method="m", hole=HERE, limits=UNHURRIED))
    await reader.until_in_piece(2)
    channel.send(Infill(id=2, document="a.py", method="other", hole=THERE, limits=UNHURRIED))
    await heard_out(channel)
    reader.allow()
    assert (await filled(channel, 1)).encoded == tokens_of(HERE)
    assert (await filled(channel, 2)).encoded <= tokens_of(THERE)


async def test_a_request_for_what_was_read_ahead_reads_nothing(
    reader: Reader, channel: Channel[ToClient]
) -> None:
    reader.allow()
    channel.send(ReadAhead("a.py", HERE))
    await until(lambda: sum(reader.read) == tokens_of(HERE))
    ask(channel, 1)
    assert (await filled(channel, 1)).encoded == 0


async def test_a_request_whose_time_is_over_while_it_reads_ends_and_the_rest_is_read_behind_it(
    reader: Reader, channel: Channel[ToClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Budget, "is_late", property(lambda budget: len(reader.read) == 2))
    reader.allow()
    ask(channel, 1)
    late = await filled(channel, 1)
    assert (late.pieces, late.steps, late.encoded) == ((), 0, 2 * PIECE)
    await until(lambda: sum(reader.read) == tokens_of(HERE))
    ask(channel, 2)
    answer = await filled(channel, 2)
    assert (answer.encoded, answer.steps > 0) == (0, True)


async def test_what_is_far_and_there_was_no_time_for_is_read_behind_the_answer(
    reader: Reader, channel: Channel[ToClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snippets, and of the code below the hole all but its beginning."""
    monkeypatch.setattr("dllm_lsp.engine.request.FAR_SHARE", 0.0)
    related = replace(HERE, snippets=(SOURCE,))
    below = len(infilling().read(HERE).below.ids)
    assert below > NEAR
    reader.allow()
    ask(channel, 1, related)
    assert (await filled(channel, 1)).encoded == tokens_of(HERE) - below + NEAR
    await until(lambda: sum(reader.read) == tokens_of(related))
    ask(channel, 2, related)
    assert (await filled(channel, 2)).encoded == 0


@pytest.mark.parametrize(
    "message",
    [
        Infill(id=1, document="a.py", method="m", hole=THERE, limits=UNHURRIED),
        Infill(id=1, document="b.py", method="m", hole=THERE, limits=UNHURRIED),
        ReadAhead("a.py", THERE),
        ReadAhead("b.py", THERE),
    ],
    ids=["request", "request elsewhere", "newer hole", "newer hole elsewhere"],
)
async def test_reading_ahead_gives_way_within_a_piece(
    reader: Reader, channel: Channel[ToClient], message: Infill | ReadAhead
) -> None:
    channel.send(ReadAhead("a.py", HERE))
    await reader.until_in_piece(1)
    channel.send(message)
    await heard_out(channel)
    reader.allow()
    if isinstance(message, Infill):
        await filled(channel, 1)
    await until(lambda: len(reader.read) >= 2)
    assert reader.read[0] == PIECE
    assert 0 < reader.read[1] <= tokens_of(THERE)
    if message.document == "b.py":
        await until(lambda: sum(reader.read) == tokens_of(HERE) + tokens_of(THERE))


async def test_a_document_that_is_closed_is_read_no_further(
    reader: Reader, channel: Channel[ToClient]
) -> None:
    channel.send(ReadAhead("a.py", HERE))
    await reader.until_in_piece(1)
    channel.send(Forget("a.py"))
    await heard_out(channel)
    reader.allow()
    ask(channel, 1)
    assert (await filled(channel, 1)).encoded == tokens_of(HERE), "what was read is forgotten, too"
    assert sum(reader.read) == PIECE + tokens_of(HERE)
