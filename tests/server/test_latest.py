import asyncio

import pytest

from dllm_lsp.server.latest import Latest


class Work:
    """Work that ends when it is told to, and knows whether it was stopped."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.end = asyncio.Event()
        self.stopped = False

    async def __call__(self) -> str:
        self.begun.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.stopped = True
            raise
        return "done"


async def test_newer_work_stops_the_older() -> None:
    latest: Latest[str] = Latest()
    works = [Work() for _ in range(3)]
    runs = []
    for work in works:
        runs.append(asyncio.ensure_future(latest.run("a", work())))
        await asyncio.wait_for(work.begun.wait(), 10)
    works[2].end.set()
    assert await asyncio.gather(*runs) == [None, None, "done"]
    assert [work.stopped for work in works] == [True, True, False]


async def test_keys_do_not_disturb_each_other() -> None:
    latest: Latest[str] = Latest()
    works = [Work() for _ in range(2)]
    runs = [asyncio.ensure_future(latest.run(key, work())) for key, work in zip("ab", works, strict=True)]
    await asyncio.sleep(0)
    for work in works:
        work.end.set()
    assert await asyncio.gather(*runs) == ["done", "done"]


async def test_a_cancelled_caller_stops_its_work() -> None:
    latest: Latest[str] = Latest()
    work = Work()
    run = asyncio.ensure_future(latest.run("a", work()))
    await asyncio.wait_for(work.begun.wait(), 10)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await asyncio.sleep(0)
    assert work.stopped
    assert latest._tasks == {}


async def test_an_error_reaches_the_caller() -> None:
    async def fail() -> str:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await Latest[str]().run("a", fail())
