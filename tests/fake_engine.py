"""An engine's process whose engine is a fake: what a request does is in the name of its document.

Started by the tests as the real one is; not a test itself.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

from dllm_lsp.host import process
from dllm_lsp.host.engine import Wanted
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled, Piece

STEP_SECONDS = 0.02
LINES = """
    total = 0
    for number in numbers:
        total += number
    return total


def next(numbers):
"""


class FakeEngine:
    def __init__(self, device: str, precision: str) -> None:
        self.model = f"fake {os.getpid()}"
        self.device, self.precision = device, precision
        self.before = 4000
        self.snippets = 0
        self.milliseconds = 200.0
        self.languages: tuple[str, ...] = ()
        self.after = 1000
        self.forgotten: list[str] = []
        self.read: list[str] = []

    def begin(self, document: str, hole: Hole, limits: Limits, *, adapter: str | None) -> FakeRequest:
        if document == "forgotten":
            return FakeRequest(document, "\n".join(self.forgotten), limits.passes)
        if document == "read":
            return FakeRequest(document, "\n".join(self.read), limits.passes)
        if "error" in document:
            raise ValueError("this hole cannot be filled")
        if "defect" in document:
            raise KeyError("surprise")
        if "memory" in document:
            raise MemoryError
        writes_lines = "lines" in document and hole.before.endswith(":")
        request = FakeRequest(document, LINES if writes_lines else hole.before.upper(), limits.passes)
        if adapter is not None:
            request.notice = f"asked for {adapter[:4]}"
        return request

    def forget(self, document: str) -> None:
        self.forgotten.append(document)

    def read_ahead(self, document: str, hole: Hole) -> int:
        """Read `before` a character at a time, and take note of the document for each."""
        time.sleep(STEP_SECONDS)
        if "defect" in document:
            raise KeyError("surprise")
        done = self.read.count(document)
        if done == len(hole.before):
            return 0
        self.read.append(document)
        return 1

    def step(self, requests: Sequence[FakeRequest]) -> None:
        slow = any("slow" in request.document for request in requests)
        time.sleep(STEP_SECONDS * 10 if slow else STEP_SECONDS)
        for request in requests:
            request.step(sorted(each.document for each in requests))


class FakeRequest:
    """Takes as many steps as it may; of some documents, one that never ends, tells a lot, or with whom it was."""

    def __init__(self, document: str, text: str, passes: int) -> None:
        self.document, self.text, self.passes = document, text, passes
        self.draft: Draft | None = None
        self.infilled: Infilled | None = None
        self.error: Exception | None = None
        self.notice = ""

    def step(self, together: Sequence[str]) -> None:
        done = self.draft.step if self.draft else 0
        if "hang" in self.document and done:
            time.sleep(3600)
        text = "\n".join(together) if "together" in self.document else self.text
        pieces = (Piece(text, 0.5),)
        self.draft = Draft(done + 1, (Piece("x" * 200_000, 1.0),) if "huge" in self.document else pieces)
        if "fails later" in self.document:
            self.error = ValueError("this hole cannot be filled any further")
        elif done + 1 >= self.passes and "hang" not in self.document:
            self.infilled = Infilled(
                pieces=pieces, end=0.75, steps=done + 1, passes=done + 1, encoded=3, milliseconds=1.5
            )

    def close(self) -> None:
        self.passes = 0


def load(wanted: Wanted, report: Callable[[str], None]) -> FakeEngine:
    model = wanted.model
    if "broken" in model:
        raise ValueError(f"{model} holds no weights")
    if "deadly" in model:
        time.sleep(0.3)
        os._exit(7)
    if "downloaded" in model:
        report("1 of 2")
        report("2 of 2")
        time.sleep(1)  # for a client to come and hear it
        threading.Timer(0.1, report, ["and one too many"]).start()
    return FakeEngine(wanted.device, wanted.precision)


if __name__ == "__main__":
    if any("unstartable" in argument for argument in sys.argv):
        sys.exit("no such interpreter")
    process.main(load)
