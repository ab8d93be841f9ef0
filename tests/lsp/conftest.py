"""Servers in processes of their own: raw ones, and behind a client of pytest-lsp."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from lsp_client import OPTIONS, Editor, StartEditor
from lsprotocol import types
from pytest_lsp import client_capabilities, make_test_lsp_client
from raw_server import PATIENCE, RawServer


@pytest.fixture
def start(
    server_command: list[str], server_environment: dict[str, str]
) -> Iterator[Callable[..., RawServer]]:
    """Starts servers, and ends them with the test."""
    servers: list[RawServer] = []

    def start(*command: str) -> RawServer:
        server = RawServer(list(command) or server_command, server_environment)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.process.kill()
        server.process.wait(PATIENCE)


@pytest.fixture
def server(start: Callable[..., RawServer]) -> RawServer:
    """A server that has been started."""
    return start()


@pytest_asyncio.fixture
async def start_editor(
    server_command: list[str], server_environment: dict[str, str]
) -> AsyncIterator[StartEditor]:
    """Starts servers, each with an editor of the name, and ends them with the test."""
    editors: list[Editor] = []

    async def start(
        name: str = "neovim",
        encodings: list[str] | None = None,
        options: dict[str, Any] | None = None,
        root: str | None = None,
    ) -> Editor:
        client = make_test_lsp_client()
        await client.start_io(*server_command, env=server_environment)
        capabilities = client_capabilities(name)
        capabilities.window = types.WindowClientCapabilities(work_done_progress=True)
        if encodings:
            capabilities.general = types.GeneralClientCapabilities(position_encodings=encodings)
        params = types.InitializeParams(
            capabilities, root_uri=root, initialization_options=options or OPTIONS
        )
        editors.append(Editor(client, await client.initialize_session(params)))
        return editors[-1]

    yield start
    for editor in editors:
        if editor.running:
            await editor.client.shutdown_session()
        await editor.client.stop()
