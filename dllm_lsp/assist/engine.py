"""What fills holes, as everything that is offered sees it: in another process, or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled
from dllm_lsp.wire.messages import Status

OnDraft = Callable[[Draft], None]
"""Hears every denoising step."""


class Engine(Protocol):
    """An engine, from its start to its end. Every method belongs to the event loop on which `start` was called."""

    @property
    def status(self) -> Status:
        """How the engine is."""
        ...

    async def start(self) -> None:
        """Begin to make it ready, in the background. Never raises."""
        ...

    async def wait_ready(self, timeout: float) -> Status:
        """Wait until the engine is ready or has failed, at most `timeout` seconds, and return its status."""
        ...

    async def infill(
        self, document: str, method: str, hole: Hole, limits: Limits, on_draft: OnDraft | None = None
    ) -> Infilled | None:
        """Fill a hole; None when not ready, failed, or superseded.

        A newer request for the same document and method supersedes an older one. Cancelling the awaiting task
        cancels the request.
        """
        ...

    def read_ahead(self, document: str, hole: Hole) -> None:
        """The hole may be asked for soon: the code around it may be read in idle time. Nothing comes of it."""
        ...

    def forget(self, document: str) -> None:
        """Nothing more will be asked of a document for now: what is kept of it may go."""
        ...

    async def restart(self) -> None:
        """End the engine, for whoever else uses it too, and start it again."""
        ...

    async def close(self) -> None:
        """Leave the engine; requests in flight are answered None."""
        ...
