import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from session_sides import PATIENCE, READY, Client, FakeEngine, until

from dllm_lsp import __version__
from dllm_lsp.client.tuned import Choice
from dllm_lsp.settings import Settings
from dllm_lsp.wire.messages import Status

SETTINGS = "workspace/didChangeConfiguration"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "utf-16"),
        ([], "utf-16"),
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32", "utf-8"], "utf-32"),
        (["utf-7", "utf-16", "utf-8"], "utf-16"),
        (["utf-7"], "utf-16"),
    ],
)
async def test_the_clients_first_known_encoding_is_chosen(
    client: Client, offered: list[str] | None, chosen: str
) -> None:
    result = await client.begin({"general": {"positionEncodings": offered}})
    assert result["capabilities"]["positionEncoding"] == chosen


async def test_initialize_says_what_the_server_does(client: Client) -> None:
    result = await client.begin()
    assert result["serverInfo"] == {"name": "dllm-lsp", "version": __version__}
    assert result["capabilities"]["textDocumentSync"] == {"openClose": True, "change": 2, "save": True}
    assert result["capabilities"]["inlineCompletionProvider"] == {}
    for command in result["capabilities"]["executeCommandProvider"]["commands"]:
        await client.request("workspace/executeCommand", {"command": command, "arguments": []})


async def test_a_request_before_initialize_is_refused(client: Client) -> None:
    assert (await client.error("workspace/executeCommand", {"command": "dllm.status"}))["code"] == -32002
    client.open("a")
    await client.begin()
    assert await client.complete(0, 0) is None


async def test_initialize_happens_once(client: Client) -> None:
    await client.begin()
    assert (await client.error("initialize", {"capabilities": {}}))["code"] == -32600


async def test_after_shutdown_only_exit_is_served(client: Client) -> None:
    await client.begin()
    assert await client.request("shutdown") is None
    assert (await client.error("workspace/executeCommand", {"command": "dllm.status"}))["code"] == -32600
    client.notify("exit")
    assert await asyncio.wait_for(client.serving, PATIENCE) == 0


async def test_an_exit_without_shutdown_is_a_failure(client: Client) -> None:
    await client.begin()
    client.notify("exit")
    assert await asyncio.wait_for(client.serving, PATIENCE) == 1


async def test_the_engine_is_left_when_the_client_goes(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.reader.feed_eof()
    assert await asyncio.wait_for(client.serving, PATIENCE) == 1
    assert engines[0].closed


async def test_status_is_the_engines(client: Client) -> None:
    await client.begin()
    status = await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert (status["state"], status["model"]) == ("ready", READY.model)


@pytest.mark.parametrize(
    ("uri", "language"), [("file:///work/.dev.vars", "python"), ("untitled:Untitled-1", "dotenv")]
)
async def test_status_says_which_document_is_left_alone_and_why(
    client: Client, engines: list[FakeEngine], uri: str, language: str
) -> None:
    await client.begin()
    item = {"uri": uri, "languageId": language, "version": 1, "text": "value = "}
    client.notify("textDocument/didOpen", {"textDocument": item})
    assert await client.complete(0, 8, uri) == []
    assert engines[0].holes == []
    status = await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert status["state"] == "inactive"
    assert "secrets" in status["detail"]
    client.open("value = ")
    status = await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert status["state"] == "ready"


async def test_the_engine_forgets_what_is_closed(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ")
    client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///work/app.py"}})
    await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert engines[0].forgotten == ["file:///work/app.py"]


async def test_restart_restarts_the_engine(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    assert await client.request("workspace/executeCommand", {"command": "dllm.restart"}) is None
    assert engines[0].restarts == 1


async def test_an_unknown_command_is_refused(client: Client) -> None:
    await client.begin()
    error = await client.error("workspace/executeCommand", {"command": "rm"})
    assert error["code"] == -32602
    assert "'rm'" in error["message"]


async def test_options_of_initialize_are_used(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin(options={"model": "/models/mine", "suggest": {"confidence": 0.5}})
    assert engines[0].settings.model == "/models/mine"
    assert client.warnings == []


async def test_settings_sent_behind_initialized_reach_the_first_engine(
    client: Client, engines: list[FakeEngine]
) -> None:
    await client.request("initialize", {"capabilities": {}})
    client.notify("initialized", {})
    client.notify(SETTINGS, {"settings": {"dllm-lsp": {"model": "/models/mine"}}})
    await until(lambda: bool(engines))
    assert [engine.settings.model for engine in engines] == ["/models/mine"]


async def test_another_model_is_another_engine(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.notify(SETTINGS, {"settings": {"dllm-lsp": {"model": "/models/mine"}}})
    await until(lambda: len(engines) == 2)
    assert engines[0].closed
    assert engines[1].settings.model == "/models/mine"


async def test_other_settings_keep_the_engine(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ")
    client.notify(SETTINGS, {"settings": {"dllm-lsp": {"suggest": {"enabled": False}}}})
    assert await client.complete(0, 8) == []
    client.notify(SETTINGS, {"settings": {"suggest.enabled": True}})
    assert await client.complete(0, 8) == ("compute(1)", (0, 8, 0, 8))
    assert len(engines) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"dllm-lsp": {"suggest": {"enabled": False}}},
        {"suggest": {"enabled": False}},
        {"suggest.enabled": False},
        {"dllm-lsp.suggest.enabled": False, "python": {"model": 3}},
    ],
)
async def test_a_change_of_a_part_leaves_the_rest(
    client: Client, engines: list[FakeEngine], change: Any
) -> None:
    await client.begin(options={"dllm-lsp": {"model": "/models/mine"}})
    client.open("value = ")
    client.notify(SETTINGS, {"settings": change})
    assert await client.complete(0, 8) == []
    client.notify(SETTINGS, {"settings": {"suggest": None}})
    assert await client.complete(0, 8) == ("compute(1)", (0, 8, 0, 8))
    assert [engine.settings.model for engine in engines] == ["/models/mine"]
    assert client.warnings == []


ASKS = {"workspace": {"configuration": True}}


@pytest.mark.parametrize("answer", [{"model": "/models/asked"}, {"dllm-lsp.model": "/models/asked"}])
async def test_a_client_that_can_be_asked_is_asked_for_its_settings(
    client: Client, engines: list[FakeEngine], answer: Any
) -> None:
    client.configuration = [answer]
    await client.begin(ASKS, options={"model": "/models/mine", "suggest": {"confidence": 0}})
    assert [engine.settings.model for engine in engines] == ["/models/asked"]
    client.configuration = [{}]
    client.notify(SETTINGS, {"settings": None})
    await until(lambda: len(engines) == 2)
    assert engines[1].settings.model == "/models/mine"
    [item] = (await client.message(lambda each: each.get("method") == "workspace/configuration"))["params"][
        "items"
    ]
    assert item["section"] == "dllm-lsp"


@pytest.mark.parametrize(
    "answer", [[None], [3], [[]], ["dllm-lsp"], [], None, 3, [{"model": "a"}, {"model": "b"}]]
)
async def test_a_client_that_has_no_settings_to_tell_keeps_those_that_it_sent(
    client: Client, engines: list[FakeEngine], answer: Any
) -> None:
    client.configuration = answer
    await client.begin(ASKS, options={"model": "/models/mine"})
    client.notify(SETTINGS, {"settings": {"suggest.enabled": False}})
    client.open("value = ")
    assert await client.complete(0, 8) == []
    assert [engine.settings.model for engine in engines] == ["/models/mine"]
    assert client.warnings == []


@pytest.mark.parametrize(
    ("settings", "logged"), [({"sugest": {"enabled": False}}, 1), ({}, 0), ({"dllm-lsp": {}}, 0)]
)
async def test_a_change_that_is_none_of_ours_is_told_in_the_log(
    client: Client, settings: dict[str, Any], logged: int
) -> None:
    await client.begin()
    client.notify(SETTINGS, {"settings": settings})
    await client.request("workspace/executeCommand", {"command": "dllm.status"})
    messages = [
        each["params"]["message"] for each in client.received if each.get("method") == "window/logMessage"
    ]
    assert messages == ["A change of settings names none of dllm-lsp: sugest"] * logged
    assert client.warnings == []


async def test_a_client_that_cannot_be_asked_is_not(client: Client) -> None:
    await client.begin()
    client.notify(SETTINGS, {"settings": None})
    client.open("value = ")
    assert await client.complete(0, 8) != []
    assert not any(message.get("method") == "workspace/configuration" for message in client.received)


async def test_the_projects_file_turns_off_and_is_read_again_when_it_is_saved(
    client: Client, engines: list[FakeEngine], tmp_path: Path
) -> None:
    file = tmp_path / ".dllm-lsp.toml"
    file.write_text("suggest.enabled = false\nmodel = 'evil'\n")
    await client.begin(root=tmp_path.as_uri())
    client.open("value = ")
    assert await client.complete(0, 8) == []
    assert engines[0].settings.model == "auto"
    assert [warning.split(": ")[1] for warning in client.warnings] == [
        'a project cannot set "model", only you can.'
    ]
    file.write_text("")
    client.notify("textDocument/didSave", {"textDocument": {"uri": file.as_uri()}})
    async with asyncio.timeout(PATIENCE):
        while await client.complete(0, 8) == []:
            await asyncio.sleep(0.005)
    assert len(client.warnings) == 1


async def test_a_language_has_its_own_settings(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin(options={"languages": {"python": {"confidence": 1}, "go": {"enabled": False}}})
    client.open("value = ")
    assert await client.complete(0, 8) == ("compute(1)", (0, 8, 0, 8))
    item = {"uri": "file:///work/app.go", "languageId": "go", "version": 1, "text": "value := "}
    client.notify("textDocument/didOpen", {"textDocument": item})
    assert await client.complete(0, 9, "file:///work/app.go") == []


async def test_suggestions_are_paused_and_resumed(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    client.open("value = ")
    await client.request("workspace/executeCommand", {"command": "dllm.pause"})
    assert await client.complete(0, 8) == []
    status = await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert (status["state"], "paused" in status["detail"]) == ("inactive", True)
    await client.request("workspace/executeCommand", {"command": "dllm.resume"})
    assert await client.complete(0, 8) == ("compute(1)", (0, 8, 0, 8))


async def test_only_what_a_person_asks_for_is_suggested_if_the_user_says_so(client: Client) -> None:
    await client.begin(options={"suggest": {"automatic": False}})
    client.open("value = ")
    assert await client.complete(0, 8) == []
    assert await client.complete(0, 8, triggerKind=1) == ("compute(1)", (0, 8, 0, 8))


@pytest.mark.parametrize(("text", "setting"), [("# a", "comments"), ("'a", "strings")])
async def test_places_are_left_alone_if_the_user_says_so(client: Client, text: str, setting: str) -> None:
    await client.begin(options={"suggest": {setting: False}})
    client.open(text)
    assert await client.complete(0, len(text)) == []
    client.notify(SETTINGS, {"settings": {"suggest": {setting: True}}})
    assert await client.complete(0, len(text)) != []


async def test_what_copilots_clients_say_of_themselves_is_no_setting(client: Client) -> None:
    info = {"name": "Vim", "version": "9"}
    await client.begin(options={"editorInfo": info, "editorPluginInfo": info, "model": "/models/mine"})
    assert client.warnings == []


async def test_what_is_not_understood_is_named_once(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin(options={"suggest": {"effort": "\ud83d"}})
    client.notify(SETTINGS, {"settings": {"suggest": {"confidence": 7}}})
    client.notify(SETTINGS, {"settings": {"suggest": {"snippets": False}}})
    client.open("value = ")
    assert await client.complete(0, 8) is not None
    assert [warning.split(",")[0] for warning in client.warnings] == [
        'The setting "suggest.effort" is "\\ud83d"',
        'The setting "suggest.confidence" is 7',
    ]


@pytest.mark.parametrize("settings", [None, {}, {"other": {"model": 3}}, {"dllm-lsp": None}, [1]])
async def test_settings_of_others_change_nothing(
    client: Client, engines: list[FakeEngine], settings: Any
) -> None:
    await client.begin(options={"model": "/models/mine"})
    client.notify(SETTINGS, {"settings": settings})
    client.open("value = ")
    assert await client.complete(0, 8) is not None
    assert [engine.settings.model for engine in engines] == ["/models/mine"]
    assert client.warnings == []


async def test_a_bad_setting_is_shown_and_the_rest_used(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin(options={"engine": {"threads": -1, "linger": 5}})
    assert client.warnings == [
        'The setting "engine.threads" is -1, but must be a whole number from 0 to 1024; using 0.'
    ]
    assert engines[0].settings.engine.linger == 5


async def test_notices_of_the_engine_are_shown(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    engines[0].on_notice("The engine stopped.")
    assert client.warnings == ["The engine stopped."]


def progress(client: Client) -> list[tuple[str, str]]:
    values = [m["params"]["value"] for m in client.received if m.get("method") == "$/progress"]
    return [(value["kind"], value.get("message", "")) for value in values]


async def test_each_time_of_loading_is_shown_as_progress(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin({"window": {"workDoneProgress": True}})
    for _ in range(2):
        client.received.clear()
        engines[0].become(Status(state="loading", detail="reading weights"))
        await client.message(lambda message: message.get("method") == "$/progress")
        engines[0].become(Status(state="loading", detail="warming up"))
        await until(lambda: ("report", "warming up") in progress(client))
        engines[0].become(READY)
        await until(lambda: ("end", "ready") in progress(client))
        assert progress(client)[0] == ("begin", "reading weights")
        tokens = {m["params"]["token"] for m in client.received if "progress" in m.get("method", "").lower()}
        assert len(tokens) == 1


async def test_a_client_without_progress_is_not_asked(client: Client, engines: list[FakeEngine]) -> None:
    await client.begin()
    engines[0].become(Status(state="loading"))
    client.open("value = ")
    assert await client.complete(0, 8) == []
    assert not any("rogress" in message.get("method", "") for message in client.received)


async def test_the_model_fine_tuned_on_what_is_open_is_used_and_named(
    client: Client, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def choose(settings: Settings, place: Path) -> Choice:
        assert place == tmp_path
        return Choice(structs.replace(settings, model="tuned"), "fine-tuned on it")

    monkeypatch.setattr("dllm_lsp.client.tuned.choose", choose)
    await client.begin(root=tmp_path.as_uri())
    assert engines[0].settings.model == "tuned"
    status = await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert status["detail"] == "fine-tuned on it"


async def test_the_adapter_fine_tuned_on_what_is_open_is_asked_for(
    client: Client, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "dllm_lsp.client.tuned.choose", lambda settings, place: Choice(settings, "adapter ab", adapter="ab")
    )
    await client.begin(root=tmp_path.as_uri())
    assert engines[0].adapter == "ab"
    status = await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert status["detail"] == "adapter ab"


async def test_a_fine_tuned_model_that_is_out_of_date_is_told(
    client: Client, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "dllm_lsp.client.tuned.choose", lambda settings, place: Choice(settings, "out of date", is_stale=True)
    )
    await client.begin(root=tmp_path.as_uri())
    assert engines[0].settings.model == "auto"
    assert client.warnings == ["out of date"]
    status = await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert status["detail"] == READY.detail


async def test_weights_that_must_be_read_to_choose_are_read_in_the_background(
    client: Client, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    may_end, threads = threading.Event(), []

    def choose(settings: Settings, place: Path, fingerprint: object = None) -> Choice:
        if fingerprint is None:
            return Choice(settings, is_undecided=settings.model == "auto")
        threads.append(threading.current_thread())
        may_end.wait(PATIENCE)
        return Choice(structs.replace(settings, model="tuned"))

    monkeypatch.setattr("dllm_lsp.client.tuned.choose", choose)
    await client.request("initialize", {"capabilities": {}, "rootUri": tmp_path.as_uri()})
    client.notify("initialized", {})
    await until(lambda: bool(threads))
    assert threads != [threading.current_thread()]
    assert engines == []
    client.notify(SETTINGS, {"settings": {"dllm-lsp": {"model": "/models/mine"}}})
    await until(lambda: bool(engines))
    may_end.set()
    await client.request("workspace/executeCommand", {"command": "dllm.status"})
    threads[0].join(PATIENCE)
    await asyncio.sleep(0)  # what the thread found has arrived
    await client.request("workspace/executeCommand", {"command": "dllm.status"})
    assert [engine.settings.model for engine in engines] == ["/models/mine"]


@pytest.mark.parametrize("root", [None, "untitled:x", "vscode-remote://host/home", "file://[", "file:"])
async def test_where_no_folder_of_this_machine_is_open_none_is_looked_for(
    client: Client, engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, root: str | None
) -> None:
    monkeypatch.setattr("dllm_lsp.client.tuned.choose", lambda settings, place: pytest.fail("it is"))
    await client.begin(root=root)
    assert engines[0].settings.model == "auto"
