"""What is used of pygls's internals is there, in the version that is pinned, and is named in one module."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from pygls import io_
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.workspace import Workspace

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "dllm_lsp/server"
WHAT_TO_DO = (
    "pygls {version} differs from the versions that this server was tested with: {what}. Read its changelog and its "
    "source for what took that place, change dllm_lsp/server/internals.py (and what protocol.py, documents.py or "
    "frames.py override), run tests/server and tests/lsp, and only then change the pin in pyproject.toml."
)

PROTOCOL = LanguageServer("test", "1").protocol
SERVER_INSTANCE = PROTOCOL._server
WORKSPACE = Workspace(None)
OVERRIDDEN = {
    "structure_message": ["self", "data"],
    "handle_message": ["self", "message"],
    "set_writer": ["self", "writer", "include_headers"],
    "_execute_handler": ["self", "msg_id", "handler", "callback", "args", "kwargs"],
    "_send_response": ["self", "msg_id", "result", "error"],
    "_send_data": ["self", "data"],
}


def complain(what: str) -> str:
    return WHAT_TO_DO.format(version=version("pygls"), what=what)


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (PROTOCOL, ["_workspace", "_shutdown", "_request_futures", "_server", "VERSION"]),
        (PROTOCOL, ["lsp_initialize", "lsp_shutdown", "lsp_exit"]),
        (SERVER_INSTANCE, ["_stop_event", "shutdown", "report_server_error", "work_done_progress"]),
        (WORKSPACE, ["put_text_document", "update_text_document", "remove_text_document", "folders"]),
    ],
    ids=["state", "methods of LSP", "server", "workspace"],
)
def test_pygls_has_what_is_used(owner: object, names: list[str]) -> None:
    missing = [name for name in names if not hasattr(owner, name)]
    assert not missing, complain(f"{owner} has no {', '.join(missing)}")


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_is_overridden_or_called_takes_the_same(name: str) -> None:
    method = getattr(LanguageServerProtocol, name, None)
    assert method is not None, complain(f"the protocol has no {name}")
    parameters = list(inspect.signature(method).parameters)
    assert parameters == OVERRIDDEN[name], complain(f"{name} takes {', '.join(parameters)}")


def test_messages_are_read_from_a_stream() -> None:
    parameters = list(inspect.signature(io_.run_async).parameters)
    wanted = ["stop_event", "reader", "protocol", "logger", "error_handler"]
    assert parameters == wanted, complain(f"run_async takes {', '.join(parameters)}")
    used = set(re.findall(r"reader\.(\w+)", inspect.getsource(io_.run_async)))
    assert used == {"readline", "readexactly"}, complain(f"run_async reads with {', '.join(sorted(used))}")


def test_the_pin_is_the_minor_version_that_is_tested() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    [pin] = [each for each in dependencies if each.startswith("pygls")]
    major, minor = version("pygls").split(".")[:2]
    assert pin == f"pygls>={major}.{minor},<{major}.{int(minor) + 1}", complain(f"the pin is {pin}")


def test_one_module_names_them() -> None:
    own = {name for each in (PROTOCOL, SERVER_INSTANCE, WORKSPACE) for name in dir(each)}
    private = {name for name in own if re.match(r"_[a-z]", name)}
    found = {
        f"{file.name}: {node.attr}"
        for file in SERVER.glob("*.py")
        if file.name != "internals.py" and "pygls" in (source := file.read_text())
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in private
    }
    assert not found
