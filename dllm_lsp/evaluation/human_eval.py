"""HumanEval-Infilling (Bavarian et al. 2022): functions with a hole, and programs that test them."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from msgspec import Struct, json

from dllm_lsp.evaluation.case import Case

_WHOLE_LINES = ("SingleLineInfilling", "MultiLineInfilling")


class _Task(Struct):
    task_id: str
    entry_point: str
    prompt: str
    suffix: str
    canonical_solution: str
    test: str


def read_human_eval(path: Path) -> list[Case]:
    """Read a file of the benchmark, `.jsonl` or `.jsonl.gz`; raise ValueError with its name if it is none.

    Where holes are whole lines, the cursor stands on an empty line, as it would in an editor: the line feed at the
    hole's end stays in the document.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        tasks = json.Decoder(_Task).decode_lines(content)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a file of HumanEval-Infilling: {error}") from error
    if not tasks:
        raise ValueError(f"{path} holds no cases")
    return [_case(task) for task in tasks]


def _case(task: _Task) -> Case:
    kind = task.task_id.partition("/")[0]
    truth, after = task.canonical_solution, task.suffix
    if kind in _WHOLE_LINES and truth.endswith("\n"):
        truth, after = truth[:-1], "\n" + after
    return Case(
        name=task.task_id,
        kind=kind,
        before=task.prompt,
        truth=truth,
        after=after,
        one_line=kind == "SingleLineInfilling",
        program=(task.test, f"check({task.entry_point})"),
    )
