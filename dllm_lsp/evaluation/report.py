"""An evaluation from its cases to what is printed and written: figures with the length predicted, and with it given."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import torch
from msgspec import json
from tqdm import tqdm

from dllm_lsp.evaluation.answers import Answer, Writer
from dllm_lsp.evaluation.case import Case
from dllm_lsp.evaluation.figures import Figures, Gate, figures, gates
from dllm_lsp.evaluation.tables import figures_table, gates_table, in_words


class Served(Protocol):
    """An engine, or what a server says of its own."""

    @property
    def model(self) -> str:
        """The model's name."""
        ...

    @property
    def device(self) -> str:
        """What it runs on."""
        ...


@dataclass(frozen=True)
class Report:
    """Figures of all cases and of each kind, the gates of the answers that are one line, and all answers."""

    setting: str
    predicted: dict[str, Figures]
    given: dict[str, Figures]
    gates: list[Gate]
    answers: list[Answer]
    answers_with_length: list[Answer]

    def __str__(self) -> str:
        parts = [
            f"Length predicted:\n\n{figures_table(self.predicted)}",
            f"True length given:\n\n{figures_table(self.given, length_given=True)}",
        ]
        if self.gates:
            parts.insert(1, gates_table(self.gates))
        return "\n\n".join([*parts, self.setting, in_words(next(iter(self.predicted.values())), self.gates)])


def report(writer: Writer, cases: Sequence[Case]) -> Report:
    """Answer at least one case, with a progress bar on standard error."""
    bar = tqdm(cases, unit="case")
    pairs = [(writer.answer(case), writer.answer(case, length_given=True)) for case in bar]
    predicted, given = [first for first, _ in pairs], [second for _, second in pairs]
    lines = [answer for answer, case in zip(predicted, cases, strict=True) if case.one_line]
    return Report(
        setting=setting(writer.engine),
        predicted=_by_kind(predicted),
        given=_by_kind(given),
        gates=gates(lines) if lines else [],
        answers=predicted,
        answers_with_length=given,
    )


def setting(served: Served, threads: int | None = None) -> str:
    """Say what a figure depends on, for people to read; `threads` are this process's, 0 for unknown."""
    threads = torch.get_num_threads() if threads is None else threads
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    used = f", {threads} threads" if threads else ""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}; model {served.model} on {served.device}; {platform.machine()}, "
        f"{os.cpu_count()} CPUs{load}{used}; torch {torch.__version__}"
    )


def write_json(path: Path, value: object) -> None:
    """Write dataclasses as indented JSON."""
    path.write_bytes(json.format(json.encode(value)) + b"\n")


def _by_kind(answers: Sequence[Answer]) -> dict[str, Figures]:
    kinds = sorted({answer.kind for answer in answers})
    columns = {"all": figures(answers)} if len(kinds) > 1 else {}
    return columns | {kind: figures([answer for answer in answers if answer.kind == kind]) for kind in kinds}
