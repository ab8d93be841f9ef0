"""Which request the engine runs next. A plain data structure: no threads, no sockets, no clock.

A newer request for the same client, document and method supersedes the older one; clients take turns.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from dllm_lsp.wire.messages import Infill

MAX_WAITING = 32  # per client

Reason = Literal["superseded", "cancelled"]
Key = tuple[str, str]


@dataclass(slots=True, eq=False)
class Job:
    """One client's request; `dropped` tells the engine to stop at its next denoising step."""

    client: int
    request: Infill
    dropped: Reason | None = None

    @property
    def key(self) -> Key:
        """What a newer request of the same client must share to supersede this one."""
        return self.request.document, self.request.method


class Scheduler:
    """The jobs that wait, by client, and the one that is `running`."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, dict[Key, Job]] = OrderedDict()
        self.running: Job | None = None

    def is_full(self, client: int) -> bool:
        """Whether the client has as many jobs waiting as one may."""
        return len(self._waiting.get(client, ())) >= MAX_WAITING

    def submit(self, job: Job) -> Job | None:
        """Queue a job and return the waiting one whose turn it takes; a running one is told to stop."""
        if self.running is not None and self.running.client == job.client and self.running.key == job.key:
            self._stop("superseded")
        queue = self._waiting.setdefault(job.client, {})
        older = queue.get(job.key)
        queue[job.key] = job
        if older is not None:
            older.dropped = "superseded"
        return older

    def cancel(self, client: int, request: int) -> Job | None:
        """Drop a client's request and return its job if it was waiting; a running one is told to stop."""
        if self.running is not None and (self.running.client, self.running.request.id) == (client, request):
            self._stop("cancelled")
            return None
        queue = self._waiting.get(client, {})
        job = next((job for job in queue.values() if job.request.id == request), None)
        if job is not None:
            job.dropped = "cancelled"
            self._remove(job)
        return job

    def leave(self, client: int) -> None:
        """Forget all that a client has asked for."""
        self._waiting.pop(client, None)
        if self.running is not None and self.running.client == client:
            self._stop("cancelled")

    def take(self) -> Job | None:
        """Return the job to run now, the oldest of the client whose turn it is, or None."""
        assert self.running is None, "one job runs at a time"
        if not self._waiting:
            return None
        client, queue = next(iter(self._waiting.items()))
        job = next(iter(queue.values()))
        self._remove(job)
        if client in self._waiting:
            self._waiting.move_to_end(client)
        self.running = job
        return job

    def finish(self) -> None:
        """Take note that the running job has ended."""
        self.running = None

    def _stop(self, reason: Reason) -> None:
        assert self.running is not None
        self.running.dropped = self.running.dropped or reason

    def _remove(self, job: Job) -> None:
        queue = self._waiting[job.client]
        del queue[job.key]
        if not queue:
            del self._waiting[job.client]
