"""One client's message to fill a hole, from its arrival to its answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from dllm_lsp.host.engine import Engine, Request
from dllm_lsp.wire.log import log_path
from dllm_lsp.wire.messages import Dropped, Failure, Filled, Infill

Reason = Literal["superseded", "cancelled"]


@dataclass(slots=True, eq=False)
class Job:
    """A message, and what the engine made of it; `dropped` says to stop at the next denoising step."""

    client: int
    message: Infill
    dropped: Reason | None = None
    request: Request | None = None
    error: Exception | None = None

    @property
    def key(self) -> tuple[str, str]:
        """A newer message of the same client with the same key supersedes this one."""
        return self.message.document, self.message.method

    @property
    def is_open(self) -> bool:
        """Whether the engine has another step to make."""
        request = self.request
        return self.dropped is None and request is not None and not (request.infilled or request.error)

    def begin(self, engine: Engine) -> None:
        """Hand the message to the engine."""
        message = self.message
        try:
            self.request = engine.begin(
                message.document, message.hole, message.limits, adapter=message.adapter
            )
        except Exception as error:  # which goes no further than its own client
            self.error = error

    def answer(self) -> Filled | Dropped | Failure | None:
        """Return what the client is to hear, None while the engine works on it."""
        if self.dropped is not None:
            return Dropped(self.message.id, self.dropped)
        error = self.error or (self.request.error if self.request else None)
        if error is not None:
            logging.error("a request failed", exc_info=error)
            return Failure(self.message.id, explained(error))
        if self.request is None or self.request.infilled is None:
            return None
        return Filled(self.message.id, self.request.infilled, self.request.notice)

    def close(self) -> None:
        """Give back what the engine holds for it."""
        if self.request is not None:
            self.request.close()


def explained(error: Exception) -> str:
    """Return what a user should read of an engine's error."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "The engine ran out of memory: choose a smaller model, or close what else uses the device."
    is_own = type(error).__module__.startswith("dllm_lsp.")
    if is_own or isinstance(error, OSError | ValueError):
        return str(error)
    return f"The engine failed with {type(error).__name__}: {error} (log: {log_path()})"
