"""What the process needs of an engine; `__main__` brings one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled

Report = Callable[[str], None]
"""Hears in words how far loading is."""


class Wanted(NamedTuple):
    """Which engine a client wants; `threads` and `memory`, in megabytes, may be 0, for what suits the model."""

    model: str
    device: str
    precision: str
    threads: int
    memory: int


class Request(Protocol):
    """A hole that is being filled, between two steps.

    When it has ended, either `infilled` or `error` is set; before, both are None. `draft` is the canvas after its last
    step, `notice` what a user should read of what serves it.
    """

    draft: Draft | None
    infilled: Infilled | None
    error: Exception | None
    notice: str

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Engine(Protocol):
    """An engine that has been loaded; see `Status` for its figures."""

    model: str
    device: str
    precision: str
    before: int
    after: int
    snippets: int
    milliseconds: float
    languages: tuple[str, ...]

    def begin(self, document: str, hole: Hole, limits: Limits, *, adapter: str | None) -> Request:
        """Return a request to fill a hole; raise what is wrong with it.

        `adapter` is the fingerprint of one that was fine-tuned, None the model's own.
        """
        ...

    def read_ahead(self, document: str, hole: Hole) -> int:
        """Read a piece of the code around a hole; return how many tokens, 0 when all is read."""
        ...

    def forget(self, document: str) -> None:
        """Give up what is kept of a document between requests."""
        ...

    def step(self, requests: Sequence[Any]) -> None:
        """Make one denoising step with requests that have not ended. A request keeps its own error; none is raised."""
        ...
