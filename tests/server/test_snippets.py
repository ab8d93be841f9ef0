"""Related code of a workspace's files, from the client's messages to the engine's request."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from session_sides import PATIENCE, READY, Client, FakeEngine, until

from dllm_lsp.project import neighborhoods
from dllm_lsp.project.neighborhood import Neighborhood

APP = "from helper import discount\n\n\ntotal = discount("
HELPER = "def discount(voucher): ...\n"
TREE = {
    "app.py": APP,
    "helper.py": HELPER,
    "generated.py": "def discount(ignored): ...\n",
    ".env": "discount=secret\n",
    "discount.pem": "discount\n",
    ".gitignore": "generated.py\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    for name, text in TREE.items():
        (root / name).write_text(text)
    (tmp_path / "outside.py").write_text("def discount(outside): ...\n")
    os.symlink(tmp_path / "outside.py", root / "link.py")
    return root


@pytest.fixture
def reader(engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    """An engine whose model reads snippets, and which writes nothing, so that no place is known."""
    monkeypatch.setattr("session_sides.READY", structs.replace(READY, snippets=3))
    monkeypatch.setattr(FakeEngine, "text", None)
    return engines


async def snippets(client: Client, engine: FakeEngine, uri: str) -> tuple[str, ...]:
    """What the engine is sent at the end of the open document, which is `APP`, now."""
    assert await client.complete(3, 17, uri) == []
    return engine.holes[-1].snippets


async def until_sent(client: Client, engine: FakeEngine, uri: str, *wanted: str) -> None:
    """Wait until the engine is sent these snippets; what is sent before is none, or what was there before."""
    async with asyncio.timeout(PATIENCE):
        while await snippets(client, engine, uri) != wanted:
            await asyncio.sleep(0.005)


async def open_app(client: Client, engines: list[FakeEngine], root: Path) -> str:
    """Open `APP` in the folder, wait until the first engine is sent its neighbor, and return its URI."""
    await client.begin(root=root.as_uri())
    uri = (root / "app.py").as_uri()
    client.open(APP, uri)
    await until_sent(client, engines[0], uri, HELPER)
    return uri


async def test_a_definition_in_another_file_reaches_the_engine_and_nothing_secret_does(
    client: Client, reader: list[FakeEngine], root: Path
) -> None:
    await open_app(client, reader, root)
    secret = (root / ".env").as_uri()
    client.open(APP, secret)
    count = len(reader[0].holes)
    assert await client.complete(3, 17, secret) == []
    assert len(reader[0].holes) == count


@pytest.mark.parametrize("by", ["user", "file"])
async def test_what_is_excluded_reaches_no_engine(
    client: Client, reader: list[FakeEngine], root: Path, by: str
) -> None:
    exclude = ["helper.py"] if by == "user" else []
    await client.begin(root=root.as_uri(), options={"suggest": {"exclude": exclude}})
    if by == "file":
        (root / ".dllmignore").write_text("helper.py\n")
    (root / "other.py").write_text("def discount(other): ...\n")
    uri = (root / "app.py").as_uri()
    client.open(APP, uri)
    await until_sent(client, reader[0], uri, "def discount(other): ...\n")


async def test_an_open_file_is_what_the_editor_says(
    client: Client, reader: list[FakeEngine], root: Path
) -> None:
    await client.begin(root=root.as_uri())
    uri, helper = (root / "app.py").as_uri(), (root / "helper.py").as_uri()
    client.open(HELPER, helper)
    client.change([{"text": "def discount(unsaved): ...\n"}], uri=helper)
    client.open(APP, uri)
    await until_sent(client, reader[0], uri, "def discount(unsaved): ...\n")
    assert all(HELPER not in hole.snippets for hole in reader[0].holes)


@pytest.mark.parametrize("method", ["didSave", "didClose"])
async def test_what_was_saved_or_opened_again_is_looked_at_again(
    client: Client, reader: list[FakeEngine], root: Path, method: str
) -> None:
    uri, changed = await open_app(client, reader, root), "def discount(changed): ...\n"
    (root / "helper.py").write_text(changed)
    client.notify(f"textDocument/{method}", {"textDocument": {"uri": uri}})
    if method == "didClose":
        client.open(APP, uri)
    await until_sent(client, reader[0], uri, changed)


@pytest.mark.parametrize("renamed", [True, False])
async def test_what_was_renamed_or_deleted_is_looked_at_again(
    client: Client, reader: list[FakeEngine], root: Path, renamed: bool
) -> None:
    uri = await open_app(client, reader, root)
    helper, other = root / "helper.py", root / "other.py"
    if renamed:
        helper.rename(other)
        other.write_text("def discount(moved): ...\n")
        files = [{"oldUri": helper.as_uri(), "newUri": other.as_uri()}]
        client.notify("workspace/didRenameFiles", {"files": files})
        await until_sent(client, reader[0], uri, "def discount(moved): ...\n")
    else:
        other.write_text("def discount(other): ...\n")
        helper.unlink()
        client.notify("workspace/didDeleteFiles", {"files": [{"uri": helper.as_uri()}]})
        await until_sent(client, reader[0], uri, "def discount(other): ...\n")
    assert HELPER not in reader[0].holes[-1].snippets


async def test_folders_come_and_go(client: Client, reader: list[FakeEngine], root: Path) -> None:
    await client.begin(root=(root.parent / "other").as_uri())
    uri = (root / "app.py").as_uri()
    client.open(APP, uri)
    assert await snippets(client, reader[0], uri) == ()
    event = {"added": [{"uri": root.as_uri(), "name": "project"}], "removed": []}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
    client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    await until_sent(client, reader[0], uri, HELPER)


async def test_nothing_waits_for_files(
    client: Client, reader: list[FakeEngine], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Any] = []
    gate = threading.Event()

    def look(*around: Any) -> Neighborhood:
        looks.append(around)
        gate.wait(PATIENCE)
        return Neighborhood("", None)

    monkeypatch.setattr(neighborhoods, "look_around", look)
    await client.begin(root=root.as_uri())
    uri = (root / "app.py").as_uri()
    client.open(APP, uri)
    assert await snippets(client, reader[0], uri) == ()
    client.change([{"text": "# more\n" + APP}], uri=uri)
    assert await client.complete(4, 17, uri) == []
    assert reader[0].holes[-1].before.startswith("# more\n")
    assert len(looks) == 1
    gate.set()


@pytest.mark.parametrize("off", ["setting", "model"])
async def test_without_a_reader_no_file_is_looked_at(
    client: Client, reader: list[FakeEngine], root: Path, off: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighborhoods, "look_around", lambda *_: pytest.fail("it is looked at"))
    await client.begin(root=root.as_uri())
    if off == "model":
        reader[0].become(READY)
    else:
        settings = {"dllm-lsp": {"suggest": {"snippets": False, "confidence": 0}}}
        client.notify("workspace/didChangeConfiguration", {"settings": settings})
    uri = (root / "app.py").as_uri()
    client.open(APP, uri)
    assert await snippets(client, reader[0], uri) == ()
    client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    assert await snippets(client, reader[0], uri) == ()


async def test_the_engine_of_the_moment_gets_what_is_known(
    client: Client, reader: list[FakeEngine], root: Path
) -> None:
    uri = await open_app(client, reader, root)
    settings = {"dllm-lsp": {"model": "/models/mine"}}
    client.notify("workspace/didChangeConfiguration", {"settings": settings})
    await until(lambda: len(reader) == 2 and reader[1].status.snippets == 3)
    assert await snippets(client, reader[1], uri) == (HELPER,)
