"""Several lines of ghost text, through the processes of a server and of an engine that writes them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from raw_server import PATIENCE, RawServer

COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("server_with_fake_engine.py")))
URI = "file:///work/several_lines.py"
BODY = ["", "    total = 0", "    for number in numbers:", "        total += number", "    return total"]


@pytest.fixture
def server(folder: Path, start: Callable[..., RawServer]) -> RawServer:
    """A server whose engine writes BODY, and more, behind a colon."""
    return start(*COMMAND)


def begin(server: RawServer, lines: str, text: str) -> None:
    options = {"engine": {"linger": 1}, "suggest": {"confidence": 0, "lines": lines}}
    server.initialize(initializationOptions=options)
    server.send({"method": "initialized", "params": {}})
    deadline = time.monotonic() + PATIENCE
    asked = 0
    while True:
        asked += 1
        status = server.request(f"status {asked}", "workspace/executeCommand", {"command": "dllm.status"})
        if status["result"]["state"] == "ready":
            break
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    document = {"uri": URI, "languageId": "python", "version": 1, "text": text}
    server.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})


def type_in(server: RawServer, version: int, line: int, character: int, text: str) -> None:
    at = {"line": line, "character": character}
    params = {
        "textDocument": {"uri": URI, "version": version},
        "contentChanges": [{"range": {"start": at, "end": at}, "text": text}],
    }
    server.send({"method": "textDocument/didChange", "params": params})


def complete(server: RawServer, line: int, character: int) -> Any:
    params = {
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2},
    }
    result = server.request(f"{line}:{character}", "textDocument/inlineCompletion", params)["result"]
    return [item["insertText"] for item in result["items"]]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_block_is_suggested_and_typed_through(server: RawServer, line_end: str) -> None:
    begin(server, "auto", f"def add(numbers):{line_end}{line_end}print(add([1])){line_end}")
    assert complete(server, 0, 17) == [line_end.join(BODY)]
    # The engine would write something else at these places.
    type_in(server, 2, 0, 17, f"{line_end}    ")
    assert complete(server, 1, 4) == [line_end.join(BODY[1:]).lstrip()]
    type_in(server, 3, 1, 4, f"total = 0{line_end}    for number in numbers:{line_end}        ")
    assert complete(server, 3, 8) == [line_end.join(BODY[3:]).lstrip()]


def test_many_lines_are_suggested_but_for_what_stands_below(server: RawServer) -> None:
    begin(server, "many", "def add(numbers):\n\n\ndef next(numbers):\n    pass\n")
    assert complete(server, 0, 17) == ["\n".join(BODY)]


def test_one_line_is_suggested_where_that_is_set(server: RawServer) -> None:
    begin(server, "one", "def add(numbers):\n    total = 0\n    for number in numbers:\n    return total\n")
    assert complete(server, 0, 17) == []
