"""How long a keystroke takes: with an engine in this process, and through a server as an editor starts it.

The files take turns, so that whatever else the machine does falls on all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from bench.keystrokes import OpenFile
from dllm_lsp.context.window import hole_at
from dllm_lsp.engine.engine import Engine
from dllm_lsp.evaluation.answers import suggest
from dllm_lsp.evaluation.editor import Editor, Server, moved
from dllm_lsp.infill.limits import Limits
from dllm_lsp.text.document import Document
from dllm_lsp.text.positions import Encoding


class Samples(NamedTuple):
    """What the keystrokes in one file took: milliseconds where the engine was asked, and where it was not.

    `passes` are the network's, where they are known. The first keystroke, with nothing encoded, is not among them.
    """

    asked: list[float]
    known: list[float]
    passes: list[int]


def in_process(
    engine: Engine, files: Sequence[OpenFile], keys: Sequence[str], limits: Limits
) -> dict[int, Samples]:
    """Type into documents of this process; return samples by the file's number of lines."""
    typists = [Typist(engine, file, limits) for file in files]
    for key in keys:
        for typist in typists:
            typist.type(key)
    return {
        file.lines: Samples(typist.milliseconds[1:], [], typist.passes[1:])
        for file, typist in zip(files, typists, strict=True)
    }


async def through_server(
    server: Server, files: Sequence[OpenFile], keys: Sequence[str]
) -> dict[int, Samples]:
    """Type into documents of a ready server; return samples by the file's number of lines."""
    watches = [Stopwatch(server, file) for file in files]
    for key in keys:
        for watch in watches:
            await watch.type(key)
            await watch.try_suggestion()
    return {
        file.lines: Samples(watch.asked[1:], watch.known, [])
        for file, watch in zip(files, watches, strict=True)
    }


class Typist:
    """Types into a document of this process."""

    def __init__(self, engine: Engine, file: OpenFile, limits: Limits) -> None:
        self._engine, self._limits = engine, limits
        self._document = Document(f"{file.lines}.py", "python", 0, file.text, Encoding.UTF32)
        self._cursor = file.cursor
        self.milliseconds: list[float] = []
        self.passes: list[int] = []

    def type(self, key: str) -> None:
        """Type and have the engine suggest how to go on."""
        began = time.perf_counter()
        self._document.replace(self._cursor, self._cursor, key)
        self._cursor = moved(self._cursor, key)
        snapshot = self._document.snapshot(self._cursor)
        hole = hole_at(snapshot, self._engine.before, self._engine.after)
        infilled, _ = suggest(self._engine, snapshot, hole, self._limits)
        self.milliseconds.append(1000 * (time.perf_counter() - began))
        self.passes.append(infilled.passes)


class Stopwatch:
    """Types into a document that is open in a server, and takes the time."""

    def __init__(self, server: Server, file: OpenFile) -> None:
        self._editor = Editor(server, f"file:///{file.lines}.py", "python", file.text, file.cursor)
        self._suggestion = ""
        self.asked: list[float] = []
        self.known: list[float] = []

    async def type(self, key: str) -> None:
        """Type and wait for the answer, which needs no engine if what is typed was suggested."""
        is_known = self._suggestion.startswith(key) and self._suggestion != key
        self._suggestion, milliseconds = await self._editor.type(key)
        (self.known if is_known else self.asked).append(milliseconds)

    async def try_suggestion(self) -> None:
        """Type the first character of what is suggested, and delete it again."""
        suggestion = self._suggestion
        if len(suggestion) < 2:
            return
        await self.type(suggestion[0])
        self._editor.erase()
        self._suggestion = suggestion
