"""JSON-RPC 2.0 over a byte stream. Knows no method's meaning.

A message that cannot be read is answered with an error, and the next one is read.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

import msgspec

from dllm_lsp.server.framing import framed, read_body

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800

Id = int | str
Work = Coroutine[Any, Any, Any]

_log = logging.getLogger(__name__)


class RpcError(Exception):
    """An error that one side tells the other: a code of JSON-RPC or LSP, and a message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Handler(NamedTuple):
    """The type of a method's parameters, and what it does.

    `call` runs before the next message is read. It returns the result, or a coroutine that will: that runs
    beside other messages, and `$/cancelRequest` cancels it.
    """

    params: Any
    call: Callable[[Any], Any]


class _Message(msgspec.Struct):
    id: Id | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"null")
    result: Any = None
    error: dict[str, Any] | None = None


class _CancelParams(msgspec.Struct):
    id: Id


class Connection:
    """One side of a conversation. `find` returns a method's handler or raises RpcError."""

    def __init__(
        self, reader: asyncio.StreamReader, write: Callable[[bytes], Any], find: Callable[[str], Handler]
    ) -> None:
        self._reader = reader
        self._write = write
        self._find = find
        self._answering: dict[Id, asyncio.Task[Any]] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._asked: dict[Id, asyncio.Future[Any]] = {}
        self._ids = itertools.count()
        self._reading: asyncio.Task[None] | None = None
        self._closed = False

    async def serve(self) -> None:
        """Handle messages until the stream ends or `close` is called; then cancel what still runs."""
        self._reading = asyncio.ensure_future(self._read())
        try:
            await asyncio.wait([self._reading])
        finally:
            self.close()
            for task in (*self._answering.values(), *self._background):
                task.cancel()

    def close(self) -> None:
        """Read and write no further."""
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()

    def notify(self, method: str, params: object) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    async def request(self, method: str, params: object) -> Any:
        """Send a request and return its result; raises RpcError when it is answered with an error."""
        id = f"dllm-lsp/{next(self._ids)}"
        answer = self._asked[id] = asyncio.get_running_loop().create_future()
        self._send({"id": id, "method": method, "params": params})
        return await answer

    def run(self, work: Work) -> None:
        """Run work that nobody waits for."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._ended)

    async def _read(self) -> None:
        while not self._closed and (body := await read_body(self._reader)) is not None:
            self._receive(body)

    def _receive(self, body: bytes) -> None:
        try:
            message = _decode(body)
        except msgspec.ValidationError as error:
            self._send_error(None, RpcError(INVALID_REQUEST, f"not a JSON-RPC message: {error}"))
            return
        except (ValueError, RecursionError) as error:
            self._send_error(None, RpcError(PARSE_ERROR, f"not JSON: {error}"))
            return
        if message.method is None:
            self._settle(message)
        elif message.method == "$/cancelRequest":
            self._cancel(message.params)
        elif message.id is None:
            self._take_notification(message.method, message.params)
        else:
            self._take_request(message.id, message.method, message.params)

    def _take_request(self, id: Id, method: str, params: msgspec.Raw) -> None:
        try:
            result = self._call(method, params)
        except RpcError as error:
            self._send_error(id, error)
            return
        if asyncio.iscoroutine(result):
            task = self._answering[id] = asyncio.ensure_future(result)
            task.add_done_callback(partial(self._answered, id))
        else:
            self._send({"id": id, "result": result})

    def _take_notification(self, method: str, params: msgspec.Raw) -> None:
        try:
            result = self._call(method, params)
        except RpcError as error:
            _log.debug("ignored: %s", error)
            return
        if asyncio.iscoroutine(result):
            self.run(result)

    def _call(self, method: str, params: msgspec.Raw) -> Any:
        handler = self._find(method)
        try:
            return handler.call(msgspec.json.decode(params, type=handler.params))
        except RpcError:
            raise
        except msgspec.ValidationError as error:
            raise RpcError(INVALID_PARAMS, f"{method}: {error}") from error
        except Exception as error:  # a defect of ours must not end the conversation
            _log.exception("%s failed", method)
            raise RpcError(INTERNAL_ERROR, f"{method} failed: {error!r}") from error

    def _answered(self, id: Id, task: asyncio.Task[Any]) -> None:
        self._answering.pop(id, None)
        if task.cancelled():
            self._send_error(id, RpcError(REQUEST_CANCELLED, "the request was cancelled"))
        elif error := task.exception():
            _log.error("a request failed", exc_info=error)
            self._send_error(id, RpcError(INTERNAL_ERROR, f"the request failed: {error!r}"))
        else:
            self._send({"id": id, "result": task.result()})

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("work in the background failed", exc_info=error)

    def _cancel(self, params: msgspec.Raw) -> None:
        try:
            id = msgspec.json.decode(params, type=_CancelParams).id
        except msgspec.ValidationError:
            return
        if task := self._answering.get(id):
            task.cancel()

    def _settle(self, message: _Message) -> None:
        """Take the answer to a request of ours."""
        answer = self._asked.pop(message.id, None) if message.id is not None else None
        if answer is None or answer.done():
            return
        if message.error is None:
            answer.set_result(message.result)
        else:
            answer.set_exception(RpcError(INTERNAL_ERROR, str(message.error.get("message"))))

    def _send_error(self, id: Id | None, error: RpcError) -> None:
        self._send({"id": id, "error": {"code": error.code, "message": str(error)}})

    def _send(self, message: dict[str, Any]) -> None:
        if self._closed:
            return
        try:
            self._write(framed(msgspec.json.encode({"jsonrpc": "2.0", **message})))
        except OSError:  # nobody reads any more
            self.close()


def _decode(body: bytes) -> _Message:
    """Return the message; raises msgspec.ValidationError, ValueError or RecursionError."""
    try:
        return msgspec.json.decode(body, type=_Message)
    except msgspec.ValidationError:
        raise
    except ValueError:
        return msgspec.json.decode(_repaired(body), type=_Message)


def _repaired(body: bytes) -> bytes:
    r"""Return the JSON with each lone half of a surrogate pair, such as "\ud83d", replaced.

    An editor sends one where it cut a character in two. U+FFFD is as long in UTF-16, so columns stay right.
    """
    text = json.dumps(json.loads(body.decode("utf-8", "replace")), ensure_ascii=False)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
