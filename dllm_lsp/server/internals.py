"""What this server uses of pygls's internals, under names of its own. The only module that names them.

pygls promises nothing of them, so `pyproject.toml` pins the minor version that they were tested with, and
`tests/server/test_internals.py` says what to do about another.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from threading import Event
from typing import TYPE_CHECKING, Any

from pygls.io_ import run_async
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.workspace import Workspace

if TYPE_CHECKING:
    from pygls.exceptions import JsonRpcException
    from pygls.io_ import AsyncReader
    from pygls.protocol.json_rpc import MessageCallback, MessageHandler, MsgId


class OpenProtocol(LanguageServerProtocol):
    """pygls's protocol with a way to what it keeps for itself. Does nothing else than that, but for forgetting."""

    @property
    def documents(self) -> Workspace | None:
        """The workspace; None before `initialize`."""
        return self._workspace

    @documents.setter
    def documents(self, documents: Workspace) -> None:
        self._workspace = documents

    @property
    def was_shut_down(self) -> bool:
        """Whether the client has asked for the end, after which pygls handles `exit` alone."""
        return self._shutdown

    def shut_down(self) -> None:
        """Handle `exit` alone from now on."""
        self._shutdown = True

    def end_session(self) -> None:
        """Have the server read no further."""
        self._server.shutdown()

    def cancel_all(self) -> None:
        """Cancel what is being answered and asked."""
        for future in list(self._request_futures.values()):
            future.cancel()

    def send_error(self, id: MsgId, error: JsonRpcException) -> None:
        """Answer a request with an error."""
        self._send_response(id, error=error.to_response_error())

    def send_object(self, message: dict[str, Any]) -> None:
        """Send what is a message already."""
        self._send_data(message)

    def _execute_handler(
        self,
        msg_id: MsgId,
        handler: MessageHandler,
        callback: MessageCallback,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Run a handler, and forget it when it has ended; pygls keeps those of notifications for ever."""
        super()._execute_handler(msg_id, handler, callback, args, kwargs)
        if future := self._request_futures.get(msg_id):
            future.add_done_callback(lambda _: self._request_futures.pop(msg_id, None))


class OpenServer(LanguageServer):
    """pygls's server, whose messages may come from any stream."""

    def read(self, reader: AsyncReader, refuse: Callable[[Exception, Any], Any]) -> Coroutine[Any, Any, None]:
        """Handle what is read until `shutdown`, or until nothing is left; `refuse` hears what went wrong."""
        self._stop_event = Event()
        return run_async(self._stop_event, reader, self.protocol, error_handler=refuse)
