import pytest
from session_sides import URI, Client, FakeEngine, until

from dllm_lsp.server import completion
from dllm_lsp.wire.messages import Status

TEXT = "compute(1)"


async def test_text_is_inserted_at_the_cursor(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("import os\nvalue = \nprint(value)\n")
    assert await client.complete(1, 8) == (TEXT, (1, 8, 1, 8))
    [hole] = engines[0].holes
    assert (hole.before, hole.after) == ("import os\nvalue = ", "\nprint(value)\n")
    assert hole.language == "python"


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 18), ("utf-16", 14), ("utf-32", 13)])
async def test_columns_are_counted_as_agreed(
    client: Client, engines: list[FakeEngine], encoding: str, character: int
) -> None:
    await client.begin({"general": {"positionEncodings": [encoding]}})
    line = 'v["é😀e\u0301\t"] = '
    client.open(line + "\n")
    assert await client.complete(0, character) == (TEXT, (0, character, 0, character))
    assert engines[0].holes[0].before == line
    assert engines[0].holes[0].after == "\n"


async def test_edits_reach_the_engine(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("one = 1\r\n\ftwo = 2\r\n")
    at = {"start": {"line": 1, "character": 6}, "end": {"line": 1, "character": 8}}
    end = {"start": {"line": 9, "character": 9}, "end": {"line": 9, "character": 9}}
    client.change([{"range": at, "text": " "}, {"range": end, "text": "three = "}])
    assert await client.complete(2, 8) == (TEXT, (2, 8, 2, 8))
    assert engines[0].holes[0].before == "one = 1\n\ftwo = \nthree = "
    client.change([{"text": "four = "}], version=3)
    assert await client.complete(0, 7) == (TEXT, (0, 7, 0, 7))
    assert engines[0].holes[1].before == "four = "


async def test_a_position_beyond_the_end_is_the_end(client: Client) -> None:
    await client.begin()
    client.open("value = ")
    assert await client.complete(0, 500) == (TEXT, (0, 8, 0, 8))
    assert await client.complete(500, 0) == (TEXT, (0, 8, 0, 8))


async def test_the_snapshot_is_of_the_moment_of_the_request(
    client: Client, engines: list[FakeEngine]
) -> None:
    await client.begin()
    client.open("value = ")
    id = client.ask_completion(0, 8)
    client.change([{"text": "other = 1"}])  # in the same breath: before the request could run
    assert (await client.answer(id))["result"] is None  # its version is gone
    assert [hole.before for hole in engines[0].holes] == ["value = "]


async def test_an_unknown_document_gets_null(client: Client) -> None:
    await client.begin()
    assert await client.complete(0, 0) is None
    client.change([{"text": "value = "}])
    assert await client.complete(0, 8) is None
    client.open("value = ")
    client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert await client.complete(0, 8) is None


async def test_another_version_gets_null(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ", version=4)
    assert await client.complete(0, 8, version=3) is None
    assert await client.complete(0, 8, version=5) is None
    assert engines[0].holes == []
    assert await client.complete(0, 8, version=4) is not None
    assert await client.complete(0, 8, version=None) is not None


async def test_a_newer_request_supersedes_the_older(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = \nother = ")
    engines[0].gate.clear()
    older = client.ask_completion(0, 8)
    await until(lambda: len(engines[0].holes) == 1)
    newer = client.ask_completion(1, 8)
    assert (await client.answer(older))["result"] is None
    assert engines[0].cancelled == 1
    engines[0].gate.set()
    assert (await client.answer(newer))["result"] is not None


async def test_documents_do_not_supersede_each_other(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ")
    client.open("value = ", uri="untitled:Untitled-1")
    engines[0].gate.clear()
    ids = [client.ask_completion(0, 8), client.ask_completion(0, 8, uri="untitled:Untitled-1")]
    await until(lambda: len(engines[0].holes) == 2)
    engines[0].gate.set()
    assert all([(await client.answer(id))["result"] is not None for id in ids])


async def test_cancelling_stops_the_engine(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ")
    engines[0].gate.clear()
    id = client.ask_completion(0, 8)
    await until(lambda: len(engines[0].holes) == 1)
    client.notify("$/cancelRequest", {"id": id})
    assert (await client.answer(id))["error"]["code"] == -32800
    await until(lambda: engines[0].cancelled == 1)


async def test_closing_a_document_stops_the_engine(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ")
    engines[0].gate.clear()
    id = client.ask_completion(0, 8)
    await until(lambda: len(engines[0].holes) == 1)
    client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert (await client.answer(id))["result"] is None
    assert engines[0].cancelled == 1


async def test_typing_what_was_suggested_needs_no_engine(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ")
    assert await client.complete(0, 8) == (TEXT, (0, 8, 0, 8))
    at = {"line": 0, "character": 8}
    client.change([{"range": {"start": at, "end": at}, "text": "com"}])
    assert await client.complete(0, 11) == ("pute(1)", (0, 11, 0, 11))
    assert len(engines[0].holes) == 1


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
async def test_several_lines_end_as_the_document_s_do(
    client: Client, engines: list[FakeEngine], line_end: str
) -> None:
    await client.begin(options={"suggest": {"lines": "many"}})
    engines[0].text = "\n    if a:\n        return b\n    return a\n\n\nf(1)"
    client.open(f"def f(a):{line_end}")
    lines = ["", "    if a:", "        return b", "    return a"]
    assert await client.complete(0, 9) == (line_end.join(lines), (0, 9, 0, 9))
    at = {"line": 0, "character": 9}
    client.change([{"range": {"start": at, "end": at}, "text": f"{line_end}    if a:"}])
    assert await client.complete(1, 9) == (line_end.join(["", *lines[2:]]), (1, 9, 1, 9))
    at = {"line": 1, "character": 9}
    client.change([{"range": {"start": at, "end": at}, "text": f"{line_end}        "}], version=3)
    assert await client.complete(2, 8) == (line_end.join(["return b", *lines[3:]]), (2, 8, 2, 8))
    assert len(engines[0].holes) == 1


@pytest.mark.parametrize("state", ["starting", "loading", "failed"])
async def test_null_until_the_first_engine_is_ready(
    client: Client, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    async def start(engine: FakeEngine) -> None:
        engine.become(Status(state=state))

    monkeypatch.setattr(FakeEngine, "start", start)
    monkeypatch.setattr(completion, "WAIT_SECONDS", 0.01)
    await client.request("initialize", {"capabilities": {}})
    client.notify("initialized", {})
    client.open("value = ")
    await until(lambda: bool(engines))
    assert await client.complete(0, 8) is None
    assert engines[0].holes == []


@pytest.mark.parametrize("state", ["starting", "loading", "failed"])
async def test_an_empty_list_while_there_is_no_engine_any_more(
    client: Client, engines: list[FakeEngine], state: str
) -> None:
    await client.begin()
    engines[0].become(Status(state=state))
    client.open("value = ")
    assert await client.complete(0, 8) == []
    assert engines[0].holes == []


async def test_an_empty_list_when_the_engine_fails(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ")
    engines[0].text = None
    assert await client.complete(0, 8) == []


@pytest.mark.parametrize(
    ("uri", "completed"),
    [
        ("untitled:Untitled-1", True),
        ("vscode-notebook-cell:/work/plots.ipynb#W2sZmlsZQ%3D%3D", True),
        ("git:/work/app.py?%7B%22ref%22%3A%22HEAD%22%7D", False),
        ("file:///work/.env", False),
    ],
)
async def test_documents_of_any_scheme(client: Client, uri: str, completed: bool) -> None:
    await client.begin()
    client.open("value = ", uri=uri)
    assert (await client.complete(0, 8, uri=uri) != []) == completed


def selected(start: int, end: int, text: str, line: int = 0) -> dict[str, object]:
    span = {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}
    return {"range": span, "text": text}


async def test_a_suggestion_extends_what_the_menu_has_selected(
    client: Client, engines: list[FakeEngine]
) -> None:
    await client.begin()
    client.open("value = res\nother\n")
    item = await client.complete(0, 11, selectedCompletionInfo=selected(8, 11, "result or "))
    assert item == ("result or compute(1)", (0, 8, 0, 11))
    assert engines[0].holes[0].before == "value = result or "
    assert engines[0].holes[0].after == "\nother\n"


async def test_a_selection_beyond_the_end_is_replaced_up_to_the_end(client: Client) -> None:
    await client.begin()
    client.open("value = res")
    beyond = {"start": {"line": 0, "character": 8}, "end": {"line": 7, "character": 99}}
    item = await client.complete(0, 500, selectedCompletionInfo={"range": beyond, "text": "result or "})
    assert item == ("result or compute(1)", (0, 8, 0, 11))


@pytest.mark.parametrize(
    "selection",
    [
        selected(8, 10, "result"),  # ends before the cursor
        selected(8, 11, "os.result"),  # does not begin with what it replaces
        selected(8, 11, "res\nult"),
        selected(8, 11, "res\rult"),
        selected(0, 3, "other", line=1),
    ],
)
async def test_a_selection_that_ghost_text_cannot_extend_gets_nothing(
    client: Client, engines: list[FakeEngine], selection: dict[str, object]
) -> None:
    await client.begin()
    client.open("value = res\nother\n")
    assert await client.complete(0, 11, selectedCompletionInfo=selection) == []
    assert engines[0].holes == []
