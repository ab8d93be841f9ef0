"""Places that the engine reads before anybody asks for a suggestion there."""

import asyncio
from typing import Any

import pytest
from session_sides import READY, URI, Client, FakeEngine, until

from dllm_lsp.wire.messages import Status


def inserted(line: int, character: int, text: str, end: int | None = None) -> dict[str, Any]:
    start = {"line": line, "character": character}
    return {"range": {"start": start, "end": start | {"character": end or character}}, "text": text}


async def test_a_document_that_is_opened(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("import os\nvalue = 1\n")
    await until(lambda: bool(engines[0].ahead))
    [hole] = engines[0].ahead
    assert (hole.before, hole.after) == ("import os\nvalue = 1\n", "")


async def test_one_that_was_opened_while_the_engine_loads(
    client: Client, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(engine: FakeEngine) -> None:
        engine.become(Status(state="loading"))

    monkeypatch.setattr(FakeEngine, "start", start)
    await client.request("initialize", {"capabilities": {}})
    client.open("value = 1\n")
    client.notify("initialized", {})
    await until(lambda: bool(engines))
    assert engines[0].ahead == []
    engines[0].become(READY)
    await until(lambda: bool(engines[0].ahead))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("by", ["an insertion", "the whole text"])
async def test_behind_a_suggestion_that_was_accepted(
    client: Client, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, by: str, end: str
) -> None:
    monkeypatch.setattr(FakeEngine, "text", "[\n    1,\n]")
    await client.begin(options={"suggest": {"lines": "many"}})
    client.open(f"value = {end}print(value){end}")
    shown = await client.complete(0, 8)
    assert shown == (f"[{end}    1,{end}]", (0, 8, 0, 8))
    engines[0].ahead.clear()
    whole = {"text": f"value = {shown[0]}{end}print(value){end}"}
    client.change([inserted(0, 8, shown[0]) if by == "an insertion" else whole])
    await until(lambda: bool(engines[0].ahead))
    assert [(hole.before, hole.after) for hole in engines[0].ahead] == [
        ("value = [\n    1,\n]", "\nprint(value)\n")
    ]


async def test_behind_one_that_went_on_from_the_menu(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = co\n")
    there = {"start": {"line": 0, "character": 8}, "end": {"line": 0, "character": 10}}
    shown = await client.complete(0, 10, selectedCompletionInfo={"range": there, "text": "compute"})
    assert shown is not None
    text, range = shown
    engines[0].ahead.clear()
    client.change([inserted(0, 8, text, 10)])
    await until(lambda: bool(engines[0].ahead))
    assert [hole.before for hole in engines[0].ahead] == [f"value = {text}"]
    assert range == (0, 8, 0, 10)


@pytest.mark.parametrize("change", ["compute(", "other", " compute(1)"])
async def test_other_changes_have_nothing_read(
    client: Client, engines: list[FakeEngine], change: str
) -> None:
    await client.begin()
    client.open("value = \n")
    await client.complete(0, 8)
    engines[0].ahead.clear()
    client.change([inserted(0, 8, change)])
    assert await client.complete(0, 8 + len(change)) is not None
    await asyncio.sleep(0)
    assert engines[0].ahead == []


@pytest.mark.parametrize("uri", ["file:///work/.env", "file:///work/app.py"])
async def test_what_is_left_alone_is_not_read(client: Client, engines: list[FakeEngine], uri: str) -> None:
    await client.begin(options={"suggest": {"enabled": uri != URI}})
    client.open("value = 1\n", uri)
    assert await client.complete(0, 8, uri) == []
    assert engines[0].ahead == []
