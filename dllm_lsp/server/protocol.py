"""pygls's side of the conversation, helped where it leaves a client without an answer. Knows no feature."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cattrs import transform_error
from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol, lsp_method

from dllm_lsp.server.documents import Documents
from dllm_lsp.server.internals import OpenProtocol
from dllm_lsp.text.positions import Encoding

if TYPE_CHECKING:
    from pygls.protocol.json_rpc import MsgId

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unread:
    """A request, or a notification when `id` is None, whose parameters cannot be read."""

    id: MsgId | None
    method: str
    params: Any
    error: JsonRpcException
    jsonrpc: str = LanguageServerProtocol.VERSION


class Protocol(OpenProtocol):
    """Answers every request, in turn or not, and keeps documents of our own."""

    @property
    def workspace(self) -> Documents:
        """The client's documents, after `initialize`."""
        assert isinstance(self.documents, Documents)
        return self.documents

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Return the message that an object of JSON is.

        pygls answers nobody when parameters are invalid, nor when they are missing and the method unknown.
        """
        if "method" not in data:
            return super().structure_message(data)
        if data.get("params") is None:
            data["params"] = {}
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            problem = JsonRpcInvalidParams("; ".join(transform_error(error.__cause__ or error)))
            return Unread(data.get("id"), data["method"], data["params"], problem)

    def handle_message(self, message: Any) -> None:
        """Handle a message if it is its turn and it can be read; a request is answered in any case."""
        if getattr(message, "jsonrpc", None) != self.VERSION:
            raise JsonRpcInvalidRequest("a message of JSON-RPC 2.0 was expected")
        error = self._out_of_turn(getattr(message, "method", None))
        if isinstance(message, Unread):
            error = error or self._pass_over(message)
        if error is None:
            super().handle_message(message)
        elif (id := getattr(message, "id", None)) is not None:
            self.send_error(id, error)

    def refuse(self, error: Exception, _source: Any) -> None:
        """Answer what is no message: nobody knows the id of the request that it may have been."""
        if isinstance(error, (ValueError, RecursionError)):
            error = JsonRpcParseError.of(error)
        if isinstance(error, (JsonRpcParseError, JsonRpcInvalidRequest)):
            response = {"jsonrpc": self.VERSION, "id": None, "error": error.to_response_error()}
            self.send_object(response)
        else:
            _log.warning("a message was passed over: %r", error)

    def _out_of_turn(self, method: str | None) -> JsonRpcException | None:
        """Return why a method may not be called now; pygls would not answer, or answer wrongly."""
        if method in (None, types.EXIT):
            return None
        if self.was_shut_down:
            return JsonRpcInvalidRequest("the server is shutting down")
        if self.documents is None and method != types.INITIALIZE:
            return JsonRpcServerNotInitialized(f"{method} came before initialize")
        if self.documents is not None and method == types.INITIALIZE:
            return JsonRpcInvalidRequest("the server is initialized already")
        return None

    def _pass_over(self, message: Unread) -> JsonRpcException:
        """Return why; a document, or a notebook, whose change was not understood is no longer known."""
        if message.method == types.TEXT_DOCUMENT_DID_CHANGE:
            document = message.params.get("textDocument") if isinstance(message.params, dict) else None
            if isinstance(document, dict):
                self.workspace.remove_text_document(str(document.get("uri")))
        if message.method == types.NOTEBOOK_DOCUMENT_DID_CHANGE:
            notebook = message.params.get("notebookDocument") if isinstance(message.params, dict) else None
            if isinstance(notebook, dict):
                self.workspace.forget_notebook(str(notebook.get("uri")))
        return message.error

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Initialize as pygls does, with documents of our own."""
        result = yield from super().lsp_initialize(params)
        encoding = Encoding(result.capabilities.position_encoding or Encoding.UTF16)
        self.documents = Documents(encoding, params.workspace_folders or ())
        return result

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> Any:
        """Accept nothing but `exit` from now on. What runs may end; pygls fails when it cancels it here."""
        self.shut_down()

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> Any:
        """End this session; pygls would end the process, and other clients' sessions with it."""
        self.end_session()
