"""An engine's process whose engine is a fake: what a request does is in the name of its document.

Started by the tests as the real one is; not a test itself.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator

from dllm_lsp.host import process
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Draft, Infilled, Piece

STEP_SECONDS = 0.02


class FakeEngine:
    def __init__(self, device: str, precision: str) -> None:
        self.model = f"fake {os.getpid()}"
        self.device, self.precision = device, precision
        self.before = 4000
        self.snippets = 0
        self.after = 1000

    def infill(self, document: str, hole: Hole, limits: Limits) -> Generator[Draft, None, Infilled]:
        passes = limits.passes
        if "error" in document:
            raise ValueError("this hole cannot be filled")
        if "defect" in document:
            raise KeyError("surprise")
        if "memory" in document:
            raise MemoryError
        pieces = (Piece(hole.before.upper(), 0.5),)
        if "hang" in document:
            yield Draft(1, pieces)
            time.sleep(3600)
        for step in range(1, passes + 1):
            time.sleep(STEP_SECONDS * 10 if "slow" in document else STEP_SECONDS)
            shown = (Piece("x" * 200_000, 1.0),) if "huge" in document else pieces
            yield Draft(step, shown)
        return Infilled(pieces=pieces, end=0.75, steps=passes, passes=passes, encoded=3, milliseconds=1.5)


def load(model: str, device: str, precision: str, threads: int, report: Callable[[str], None]) -> FakeEngine:
    if "broken" in model:
        raise ValueError(f"{model} holds no weights")
    if "deadly" in model:
        time.sleep(0.3)
        os._exit(7)
    if "downloaded" in model:
        report("1 of 2")
        report("2 of 2")
        time.sleep(1)  # for a client to come and hear it
    return FakeEngine(device, precision)


if __name__ == "__main__":
    if any("unstartable" in argument for argument in sys.argv):
        sys.exit("no such interpreter")
    process.main(load)
