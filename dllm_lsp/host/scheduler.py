"""Which requests the engine runs. A plain data structure: no threads, no sockets, no clock.

A newer request for the same client, document and method supersedes the older one; clients take turns.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from dllm_lsp.host.job import Job, Reason

MAX_WAITING = 32  # per client
MAX_RUNNING = 16


class Scheduler:
    """The jobs that wait, by client, and those that are `running`: they share the engine's steps."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[int, dict[tuple[str, str], Job]] = OrderedDict()
        self.running: list[Job] = []

    def is_full(self, client: int) -> bool:
        """Whether the client has as many jobs waiting as one may."""
        return len(self._waiting.get(client, ())) >= MAX_WAITING

    def submit(self, job: Job) -> Job | None:
        """Queue a job. Return the waiting job that it supersedes, if any; a running one is told to stop."""
        self._stop("superseded", lambda other: (other.client, other.key) == (job.client, job.key))
        queue = self._waiting.setdefault(job.client, {})
        older = queue.get(job.key)
        queue[job.key] = job
        if older is not None:
            older.dropped = "superseded"
        return older

    def cancel(self, client: int, request: int) -> Job | None:
        """Drop a client's request and return its job if it was waiting; a running one is told to stop."""
        self._stop("cancelled", lambda other: (other.client, other.message.id) == (client, request))
        queue = self._waiting.get(client, {})
        job = next((job for job in queue.values() if job.message.id == request), None)
        if job is not None:
            job.dropped = "cancelled"
            self._remove(job)
        return job

    def leave(self, client: int) -> None:
        """Forget all that a client has asked for."""
        self._waiting.pop(client, None)
        self._stop("cancelled", lambda other: other.client == client)

    def take(self) -> Job | None:
        """Let a job run and return it: the oldest of the client whose turn it is. Return None if none may."""
        if not self._waiting or len(self.running) >= MAX_RUNNING:
            return None
        client, queue = next(iter(self._waiting.items()))
        job = next(iter(queue.values()))
        self._remove(job)
        if client in self._waiting:
            self._waiting.move_to_end(client)
        self.running.append(job)
        return job

    def finish(self, job: Job) -> None:
        """Take note that a running job has ended."""
        self.running.remove(job)

    def _stop(self, reason: Reason, is_meant: Callable[[Job], bool]) -> None:
        for job in filter(is_meant, self.running):
            job.dropped = job.dropped or reason

    def _remove(self, job: Job) -> None:
        queue = self._waiting[job.client]
        del queue[job.key]
        if not queue:
            del self._waiting[job.client]
