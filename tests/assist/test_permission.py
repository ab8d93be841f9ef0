from __future__ import annotations

import asyncio
from concurrent.futures import Future

from marked import CURSOR, snapshot_of

from dllm_lsp.assist.permission import Permission
from dllm_lsp.settings import SuggestSettings

HERE = snapshot_of(f"value = {CURSOR}\n")


def found(reason: str | None) -> Future[str | None]:
    future: Future[str | None] = Future()
    future.set_result(reason)
    return future


async def test_what_the_file_is_counts_and_so_do_settings_and_text() -> None:
    assert await Permission(SuggestSettings(), lambda uri: found(None)).refusal(HERE) is None
    assert await Permission(SuggestSettings(), lambda uri: found(f"{uri} is no")).refusal(HERE) == (
        "file:///work/app.py is no"
    )
    off = Permission(SuggestSettings(enabled=False), lambda uri: found(None))
    assert await off.refusal(HERE) == "suggest.enabled is off"
    binary = snapshot_of(f"\0{CURSOR}")
    assert "binary" in (await Permission(SuggestSettings(), lambda uri: found(None)).refusal(binary) or "")


async def test_a_look_outlives_a_request_that_is_cancelled() -> None:
    look: Future[str | None] = Future()
    permission = Permission(SuggestSettings(), lambda uri: look)
    first = asyncio.create_task(permission.refusal(HERE))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.create_task(permission.refusal(HERE))
    await asyncio.sleep(0)
    look.set_result("it is secret")
    assert await second == "it is secret"
