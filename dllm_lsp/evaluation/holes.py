"""Where suggestions are asked for: places in finished code, the rest of whose line was taken away.

Knows no model.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from dllm_lsp.text.document import split_lines
from dllm_lsp.text.positions import content_of
from dllm_lsp.text.snapshot import Snapshot
from dllm_lsp.training.files import SourceFile

Kind = Literal["column", "word", "line"]
"""Where in its line the cursor stands: anywhere in the code, where a word starts, or before the code."""

_WORD_START = re.compile(r"\b\w")


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A document whose cursor stands at the end of an unfinished line, and what the line went on with.

    `truth` is not blank and has no white space at its end.
    """

    snapshot: Snapshot
    kind: Kind
    truth: str


def open_lines(files: Sequence[SourceFile], seed: int) -> Iterator[OpenLine]:
    """Yield places without end, the same for the same files and seed; lines are drawn evenly, as are kinds.

    At least one file must hold code.
    """
    rng = random.Random(seed)
    documents = [split_lines(file.text) for file in files]
    sizes = [sum(bool(line.strip()) for line in lines) for lines in documents]
    while True:
        [number] = rng.choices(range(len(files)), sizes)
        file, lines = files[number], documents[number]
        row = rng.choice([row for row, line in enumerate(lines) if line.strip()])
        kind = rng.choice(get_args(Kind))
        code = content_of(lines[row]).rstrip()
        columns = _columns(code, kind)
        if not columns:
            continue
        column = rng.choice(columns)
        line_end = lines[row][len(content_of(lines[row])) :]
        opened = (*lines[:row], code[:column] + line_end, *lines[row + 1 :])
        yield OpenLine(Snapshot(file.path, None, file.language, opened, row, column), kind, code[column:])


def _columns(code: str, kind: Kind) -> Sequence[int]:
    """Return the columns of this kind, each with something to write behind it."""
    start = len(code) - len(code.lstrip())
    if kind == "line":
        return [start]
    if kind == "word":
        return [match.start() for match in _WORD_START.finditer(code, start + 1)]
    return [column for column in range(start + 1, len(code)) if not code[column:].isspace()]
