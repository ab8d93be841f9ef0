"""Fits a model's confidence on one half of the packages, and reports on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from tqdm import tqdm

from dllm_lsp.evaluation.answers import Answer, Writer
from dllm_lsp.evaluation.calibration import Bin, bins, calibration_error, default_gate, fit
from dllm_lsp.evaluation.figures import Gate, gates
from dllm_lsp.evaluation.holes import cut_holes
from dllm_lsp.evaluation.report import setting
from dllm_lsp.evaluation.tables import gates_table, table
from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.training.files import SourceFile

ONE_LINE = ("rest-of-line", "line", "argument")
FINE_GATES = tuple(number / 100 for number in range(100))


@dataclass(frozen=True)
class CalibrationReport:
    """The map, and what it is worth on packages that it was not fitted on.

    `gate` is the one of the widest coverage at which at least half is right, on the packages that it was fitted on;
    `at_gate` says what it gives on the others. Errors are expected calibration errors.
    """

    setting: str
    calibration: Calibration
    fitted_on: list[str]
    reported_on: list[str]
    error_before: float
    error: float
    bins: list[Bin]
    gates: list[Gate]
    gate: float | None
    at_gate: Gate | None
    answers: list[Answer]

    def __str__(self) -> str:
        rows = [
            ["fitted on", ", ".join(self.fitted_on)],
            ["reported on", ", ".join(self.reported_on)],
            [
                "slope and offset over the log-odds",
                f"{self.calibration.slope:.3f}, {self.calibration.offset:.3f}",
            ],
            ["expected calibration error before", f"{self.error_before:.1%}"],
            ["expected calibration error", f"{self.error:.1%}"],
        ]
        if self.gate is not None and self.at_gate is not None:
            precision = "-" if self.at_gate.precision is None else f"{self.at_gate.precision:.1%}"
            rows += [
                ["gate at which half is right, where fitted", f"{self.gate:.2f}"],
                ["shown at this gate", f"{self.at_gate.coverage:.1%}"],
                ["exactly right of these", precision],
            ]
        return "\n\n".join([table(["confidence", ""], rows), gates_table(self.gates), self.setting])


def calibrate(writer: Writer, files: Sequence[SourceFile], seed: int, limit: int) -> CalibrationReport:
    """Fit on `limit` holes of one half of the packages, and report on as many of the other half.

    A package is the first part of a path. The writer's own calibration is put aside. Raises ValueError when there
    are fewer than two packages, or nothing can be learned from the answers.
    """
    packages = sorted({_package(file) for file in files if file.text.strip()})
    if len(packages) < 2:
        raise ValueError("calibration needs the files of two packages at least, each in a folder of its own")
    halves = packages[::2], packages[1::2]
    bar = tqdm(total=2 * limit, unit="case")
    fitted_on, reported_on = (
        _answers(writer, [file for file in files if _package(file) in half], seed, limit, bar)
        for half in halves
    )
    bar.close()
    calibration = fit(fitted_on)
    calibrated = _calibrated(reported_on, calibration)
    gate = default_gate(gates(_calibrated(fitted_on, calibration), FINE_GATES))
    return CalibrationReport(
        setting=setting(writer.engine),
        calibration=calibration,
        fitted_on=halves[0],
        reported_on=halves[1],
        error_before=calibration_error(bins(reported_on)),
        error=calibration_error(bins(calibrated)),
        bins=bins(calibrated),
        gates=gates(calibrated),
        gate=gate.confidence if gate else None,
        at_gate=gates(calibrated, [gate.confidence])[0] if gate else None,
        answers=calibrated,
    )


def _answers(writer: Writer, files: Sequence[SourceFile], seed: int, limit: int, bar: tqdm) -> list[Answer]:
    answers = []
    for case in islice(cut_holes(files, seed, ONE_LINE), limit):
        answers.append(writer.answer(case))
        bar.update()
    return answers


def _calibrated(answers: Sequence[Answer], calibration: Calibration) -> list[Answer]:
    return [
        replace(answer, confidence=calibration(answer.confidence)) if answer.text is not None else answer
        for answer in answers
    ]


def _package(file: SourceFile) -> str:
    return file.path.partition("/")[0]
