"""One client's session, from `initialize` to `exit`: which methods there are, and who answers them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from dllm_lsp import __version__
from dllm_lsp.server.completion import InlineCompletion
from dllm_lsp.server.documents import Documents
from dllm_lsp.server.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    SERVER_NOT_INITIALIZED,
    Connection,
    Handler,
    RpcError,
)
from dllm_lsp.server.progress import LoadingProgress
from dllm_lsp.server.protocol import (
    DidChangeConfigurationParams,
    DidChangeParams,
    DidCloseParams,
    DidOpenParams,
    ExecuteCommandParams,
    InitializeParams,
    InlineCompletionParams,
)
from dllm_lsp.server.service import Service
from dllm_lsp.settings import Settings, merged
from dllm_lsp.text.positions import Encoding
from dllm_lsp.worker.messages import Status

NAME = "dllm-lsp"  # of the server, and of its section in a client's settings
SETTINGS_GRACE = 0.1  # seconds in which a client sends its settings behind `initialized`
INCREMENTAL = 2  # TextDocumentSyncKind
WARNING = 2  # MessageType


class Session:
    """What one client sees. `settings` are those of the command line; the client's come on top."""

    def __init__(
        self, reader: asyncio.StreamReader, write: Callable[[bytes], Any], settings: Settings
    ) -> None:
        self.client_process: int | None = None
        self._connection = Connection(reader, write, self._find)
        self._documents = Documents()
        self._service = Service(self._take_status, self._warn)
        self._completion = InlineCompletion(self._documents, self._service)
        self._progress: LoadingProgress | None = None
        self._base = self._settings = settings
        self._initialized = self._started = self._shut_down = False
        self._methods = {
            "initialize": Handler(InitializeParams, self._initialize),
            "initialized": Handler(Any, self._start),
            "shutdown": Handler(Any, self._shutdown),
            "exit": Handler(Any, self._exit),
            "textDocument/didOpen": Handler(DidOpenParams, self._documents.open),
            "textDocument/didChange": Handler(DidChangeParams, self._documents.change),
            "textDocument/didClose": Handler(DidCloseParams, self._close_document),
            "textDocument/inlineCompletion": Handler(InlineCompletionParams, self._completion.answer),
            "workspace/didChangeConfiguration": Handler(DidChangeConfigurationParams, self._configure),
            "workspace/executeCommand": Handler(ExecuteCommandParams, self._execute),
        }
        self._commands: dict[str, Callable[[], Any]] = {
            "dllm.status": self._status,
            "dllm.restart": self._service.restart,
        }

    async def serve(self) -> int:
        """Serve until the client leaves; return 0 if it said so before, else 1, as the protocol wants."""
        try:
            await self._connection.serve()
        finally:
            await self._service.close()
        return 0 if self._shut_down else 1

    def close(self) -> None:
        """End the session, whether or not the client knows."""
        self._connection.close()

    def _find(self, method: str) -> Handler:
        if self._shut_down and method != "exit":
            raise RpcError(INVALID_REQUEST, "the server is shutting down")
        if self._initialized and method == "initialize":
            raise RpcError(INVALID_REQUEST, "the server is initialized already")
        if not self._initialized and method not in ("initialize", "exit"):
            raise RpcError(SERVER_NOT_INITIALIZED, f"{method} came before initialize")
        if method not in self._methods:
            raise RpcError(METHOD_NOT_FOUND, f"there is no method {method}")
        return self._methods[method]

    def _initialize(self, params: InitializeParams) -> dict[str, Any]:
        self._initialized = True
        self.client_process = params.process_id
        general, window = params.capabilities.general, params.capabilities.window
        self._documents.encoding = _chosen((general and general.position_encodings) or [])
        if window and window.work_done_progress:
            self._progress = LoadingProgress(self._connection)
        self._take_settings(params.initialization_options)
        return {
            "capabilities": {
                "positionEncoding": self._documents.encoding,
                "textDocumentSync": {"openClose": True, "change": INCREMENTAL},
                "inlineCompletionProvider": {},
                "executeCommandProvider": {"commands": list(self._commands)},
            },
            "serverInfo": {"name": NAME, "version": __version__},
        }

    async def _start(self, _: object) -> None:
        await asyncio.sleep(SETTINGS_GRACE)
        self._started = True
        if starting := self._service.use(self._settings):
            await starting

    def _configure(self, params: DidChangeConfigurationParams) -> Coroutine[Any, Any, None] | None:
        if isinstance(params.settings, dict):
            self._take_settings(params.settings.get(NAME))
        return self._service.use(self._settings) if self._started else None

    def _take_settings(self, tree: object) -> None:
        """Use the client's settings, which replace those that it gave before."""
        if tree is None:
            return
        self._settings, problems = merged(self._base, tree)
        for problem in problems:
            self._warn(problem)

    def _shutdown(self, _: object) -> None:
        self._shut_down = True

    def _exit(self, _: object) -> None:
        self._connection.close()

    def _close_document(self, params: DidCloseParams) -> None:
        self._documents.close(params)
        self._completion.forget(params.text_document.uri)

    def _execute(self, params: ExecuteCommandParams) -> Any:
        command = self._commands.get(params.command)
        if command is None:
            known = ", ".join(self._commands)
            raise RpcError(INVALID_PARAMS, f"there is no command {params.command}; there are {known}")
        return command()

    def _status(self) -> Status:
        return self._service.status

    def _take_status(self, status: Status) -> None:
        if self._progress is not None:
            self._progress.update(status)

    def _warn(self, message: str) -> None:
        self._connection.notify("window/showMessage", {"type": WARNING, "message": message})


def _chosen(offered: list[str]) -> Encoding:
    """Return the client's first choice among the known encodings; UTF-16 is what every client knows."""
    return next((Encoding(name) for name in offered if name in list(Encoding)), Encoding.UTF16)
