"""Programs with one wrong line: whether it is among those that surprise the model, and whether it is repaired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean

from tqdm import tqdm

from dllm_lsp.engine.surprise import line_surprises
from dllm_lsp.evaluation.answers import Answer, Writer
from dllm_lsp.evaluation.figures import Figures, figures
from dllm_lsp.evaluation.quixbugs import Bug
from dllm_lsp.evaluation.report import setting
from dllm_lsp.evaluation.tables import figures_table, table
from dllm_lsp.models.checkpoints.checkpoint import Checkpoint

FIRST = (1, 3)
"""How many of the most surprising lines are looked at."""


@dataclass(frozen=True, slots=True)
class Repair:
    """One program: what is written in place of the wrong line, with the length predicted and given.

    `rank` is how many lines of code surprise the model more than the wrong one, `by_chance` the probability of finding
    that among one and three lines drawn at random. `by_itself` says whether the tests pass with the most
    surprising line written anew, whichever it is.
    """

    rank: int
    by_chance: tuple[float, ...]
    by_itself: bool
    predicted: Answer
    given: Answer


@dataclass(frozen=True)
class RepairReport:
    """Shares of the programs, and the figures of what was written where the wrong line stood."""

    setting: str
    found: tuple[float, ...]
    found_by_chance: tuple[float, ...]
    by_itself: float
    figures: dict[str, Figures]
    repairs: list[Repair]

    def __str__(self) -> str:
        rows = [
            ["programs", f"{len(self.repairs)}", ""],
            *(
                [f"wrong line among the {count} most surprising", f"{share:.1%}", f"{chance:.1%}"]
                for count, share, chance in zip(FIRST, self.found, self.found_by_chance, strict=True)
            ),
            ["most surprising line written anew, tests pass", f"{self.by_itself:.1%}", ""],
        ]
        found = table(["", "model", "by chance"], rows)
        return f"{found}\n\nThe wrong line written anew:\n\n{figures_table(self.figures)}\n\n{self.setting}"


def repair_report(writer: Writer, checkpoint: Checkpoint, bugs: Sequence[Bug]) -> RepairReport:
    """Look for at least one bug and repair it, with a progress bar on standard error.

    The writer runs the checkpoint. Raises ValueError for one that cannot say what surprises it.
    """
    repairs = [_repair(writer, checkpoint, bug) for bug in tqdm(bugs, unit="program")]
    return RepairReport(
        setting=setting(writer.engine),
        found=tuple(fmean(repair.rank < count for repair in repairs) for count in FIRST),
        found_by_chance=tuple(
            fmean(chances) for chances in zip(*(r.by_chance for r in repairs), strict=True)
        ),
        by_itself=fmean(repair.by_itself for repair in repairs),
        figures={
            "length predicted": figures([repair.predicted for repair in repairs]),
            "true length given": figures([repair.given for repair in repairs]),
        },
        repairs=repairs,
    )


def _repair(writer: Writer, checkpoint: Checkpoint, bug: Bug) -> Repair:
    surprises = line_surprises(checkpoint, "\n".join(bug.lines), "python")
    ranking = sorted(bug.code_lines, key=lambda line: -surprises[line])
    first = ranking[0]
    return Repair(
        rank=min(ranking.index(line) for line in bug.guilty),
        by_chance=tuple(_chance(len(ranking), len(bug.guilty), count) for count in FIRST),
        by_itself=bool(writer.answer(bug.hole(first, first + 1)).passed),
        predicted=writer.answer(bug.case),
        given=writer.answer(bug.case, length_given=True),
    )


def _chance(lines: int, guilty: int, drawn: int) -> float:
    """Return the probability that some of the guilty are among the lines drawn."""
    drawn = min(drawn, lines)
    return 1 - comb(lines - guilty, drawn) / comb(lines, drawn)
