"""What clients may get wrong: a request is answered in any case, and the next one is served."""

import asyncio
from typing import Any

import pytest
from session_sides import PATIENCE, URI, Client, FakeEngine, until

INLINE = "textDocument/inlineCompletion"


async def still_serves(client: Client) -> None:
    client.open("value = ", uri="file:///last.py")
    assert await client.complete(0, 8, uri="file:///last.py") == ("compute(1)", (0, 8, 0, 8))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe{}", -32700),
        (b'{"result":' + b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"3", -32600),
        (b"null", -32600),
        (b"{}", -32600),
        (b'{"id":1,"method":"shutdown"}', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"shutdown"}', -32600),
    ],
)
async def test_what_is_no_message_is_answered_without_an_id(client: Client, body: bytes, code: int) -> None:
    await client.begin()
    client.send_body(body)
    answer = await client.message(lambda message: "error" in message)
    assert answer["id"] is None
    assert answer["error"]["code"] == code
    await still_serves(client)


PLACE = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 1}}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nothing", None, -32601),
        ("nothing", {"type_name": 5}, -32602),
        ("textDocument/hover", PLACE, -32601),
        (INLINE, None, -32602),
        (INLINE, [1], -32602),
        (INLINE, {**PLACE, "position": {"line": "here", "character": 0}}, -32602),
        (INLINE, {**PLACE, "position": None}, -32602),
        (INLINE, {**PLACE, "textDocument": {"uri": 5}}, -32602),
        (INLINE, {**PLACE, "textDocument": {"uri": URI, "version": "new"}}, -32602),
        (INLINE, {**PLACE, "context": {"selectedCompletionInfo": {"text": ""}}}, -32602),
        ("workspace/executeCommand", None, -32602),
        ("workspace/executeCommand", {"command": "rm"}, -32602),
        ("initialize", {}, -32600),
    ],
)
async def test_a_bad_request_is_answered(client: Client, method: str, params: Any, code: int) -> None:
    await client.begin()
    error = await client.error(method, params)
    assert error["code"] == code
    assert error["message"]
    await still_serves(client)


@pytest.mark.parametrize("id", [{}, [], 1.5, True, "x", -1])
async def test_ids_come_back(client: Client, id: Any) -> None:
    await client.begin()
    client.send({"id": id, "method": "nothing"})
    answer = await client.message(lambda message: "error" in message)
    assert answer["id"] == id
    await still_serves(client)


async def test_an_error_says_what_is_wrong(client: Client) -> None:
    await client.begin()
    error = await client.error(INLINE, {**PLACE, "textDocument": {"uri": URI, "version": "new"}})
    assert "version" in error["message"]


async def test_initialize_must_be_understood(client: Client) -> None:
    assert (await client.error("initialize", {"capabilities": 3}))["code"] == -32602
    assert (await client.error("initialize"))["code"] == -32602
    await client.begin()
    await still_serves(client)


@pytest.mark.parametrize(
    "message",
    [
        {"method": "nothing"},
        {"method": 7},
        {"method": ["x"]},
        {"method": "textDocument/didOpen", "params": 5},
        {"method": "textDocument/didChange", "params": 5},
        {"method": "textDocument/didChange", "params": {"textDocument": 5, "contentChanges": []}},
        {"method": "textDocument/didSave", "params": {"textDocument": {"uri": URI}}},
        {"method": "workspace/didChangeConfiguration"},
        {"method": "$/cancelRequest", "params": {"id": 77}},
        {"method": "$/cancelRequest", "params": {"id": {}}},
        {"method": "$/cancelRequest", "params": "x"},
        {"method": "$/setTrace", "params": {"value": "verbose"}},
        {"id": 77, "result": None},
        {"id": 77, "result": [{}], "error": None},
        {"id": None, "error": {"code": 1, "message": "?"}},
        {"id": None},
    ],
)
async def test_what_is_no_request_is_never_answered(client: Client, message: dict[str, Any]) -> None:
    await client.begin()
    known = len(client.received)
    client.send(message)
    await still_serves(client)
    assert [answer["id"] for answer in client.received[known:]] == [client._ids]


async def test_a_change_that_is_not_understood_makes_the_document_unknown(client: Client) -> None:
    await client.begin()
    client.open("value = ")
    client.change([{"text": 5}])
    assert await client.complete(0, 8) is None


async def test_positions_out_of_range_are_the_nearest(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = 1\n")
    beyond = {"start": {"line": 0, "character": 8}, "end": {"line": 2**32 - 1, "character": -1}}
    client.change([{"range": beyond, "text": ""}])
    assert await client.complete(-1, 2**63) == ("compute(1)", (0, 8, 0, 8))
    assert engines[0].holes[0].before == "value = "


@pytest.mark.parametrize(
    ("sent", "read"),
    [(r"a\ud83db", "a�b"), (r"\ude00", "�"), (r"\ud83d\ude00", "😀"), (r"\\ud83d", r"\ud83d")],
)
async def test_half_a_surrogate_pair_becomes_one_replacement(
    client: Client, engines: list[FakeEngine], sent: str, read: str
) -> None:
    await client.begin()
    document = f'{{"uri":"{URI}","languageId":"python","version":1,"text":"{sent}"}}'
    params = f'{{"textDocument":{document}}}'
    client.send_body(f'{{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{params}}}'.encode())
    assert await client.complete(0, 99) is not None
    assert engines[0].holes[0].before == read


async def test_a_client_newer_than_the_server_can_initialize(client: Client) -> None:
    kinds = {"completion": {"completionItemKind": {"valueSet": [1, 999]}}}
    result = await client.begin({"textDocument": kinds, "workspace": 3, "future": {"a": None}})
    assert result["capabilities"]


async def test_a_request_in_flight_at_shutdown_is_answered(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ")
    engines[0].gate.clear()
    id = client.ask_completion(0, 8)
    await until(lambda: len(engines[0].holes) == 1)
    assert await client.request("shutdown") is None
    engines[0].gate.set()
    assert "error" not in await client.answer(id)


async def test_what_still_runs_when_the_stream_ends_is_cancelled(
    client: Client, engines: list[FakeEngine]
) -> None:
    await client.begin()
    client.open("value = ")
    engines[0].gate.clear()
    client.ask_completion(0, 8)
    await until(lambda: len(engines[0].holes) == 1)
    client.reader.feed_eof()
    await asyncio.wait_for(client.serving, PATIENCE)
    await until(lambda: engines[0].cancelled == 1)


async def test_a_defect_is_answered_and_logged(
    client: Client, engines: list[FakeEngine], caplog: pytest.LogCaptureFixture
) -> None:
    await client.begin()
    client.open("value = ")
    del engines[0].gate
    assert (await client.answer(client.ask_completion(0, 8)))["error"]["code"] == -32603
    assert "AttributeError" in caplog.text


async def test_messages_leave_nothing_behind(client: Client) -> None:
    await client.begin()
    client.open("value = ")
    for version in range(2, 12):
        client.change([{"text": "value = "}], version=version)
        assert await client.complete(0, 8) is not None
    assert client.session.protocol._request_futures == {}
