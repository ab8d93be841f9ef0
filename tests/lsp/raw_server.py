"""A server's process and a plain JSON-RPC client of it that hides nothing."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable
from typing import IO, Any

import pytest

PATIENCE = 30.0  # seconds: how long a test waits for what must happen


class RawServer:
    """`lines` are what the server wrote to standard error."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)
        assert self.process.stdout
        assert self.process.stderr
        self.messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()
        threading.Thread(target=self._read_lines, args=(self.process.stderr,), daemon=True).start()

    def _read(self, stream: IO[bytes]) -> None:
        """Take messages until the end; what is no message is an error in `messages`."""
        while line := stream.readline():
            name, _, length = line.partition(b": ")
            if name != b"Content-Length" or stream.readline() != b"\r\n":
                self.messages.put({"stray": line})
                continue
            self.messages.put(json.loads(stream.read(int(length))))
        self.messages.put(None)

    def _read_lines(self, stream: IO[bytes]) -> None:
        for line in stream:
            self.lines.put(line.decode())

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def receive(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the next message that is wanted; others are dropped, but none may be stray output."""
        while True:
            message = self.messages.get(timeout=PATIENCE)
            assert message is not None, "the server ended"
            assert "stray" not in message, message
            if wanted(message):
                return message

    def receive_nothing_for(self, seconds: float) -> None:
        """Make sure that the server neither says anything nor ends."""
        with pytest.raises(queue.Empty):
            self.messages.get(timeout=seconds)

    def request(self, id: int | str, method: str, params: Any = None) -> dict[str, Any]:
        """Send a request and return its answer."""
        self.send({"id": id, "method": method, "params": params})
        return self.receive(lambda message: message.get("id") == id)

    def initialize(self, **params: Any) -> dict[str, Any]:
        """Open the session without starting an engine, which `initialized` does."""
        answer = self.request(0, "initialize", {"processId": None, "capabilities": {}, **params})
        result = answer["result"]
        assert isinstance(result, dict)
        return result

    def close(self) -> None:
        """Close the server's standard input."""
        assert self.process.stdin
        self.process.stdin.close()

    def end(self) -> int:
        """Wait until the process has ended and return its exit status."""
        return self.process.wait(PATIENCE)
