"""QuixBugs (Lin et al. 2017) as OctoPack has it: small programs that one line makes wrong, and their tests."""

from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import Path

from msgspec import Struct, json

from dllm_lsp.evaluation.case import Case


class _Task(Struct):
    name: str
    buggy_program: str
    solution: str
    tests: str


class Bug(Struct, frozen=True):
    """A program's lines, of which [start, end) are wrong, and what stands there in the right one.

    Where a line is missing, `end` equals `start`. The `tests` run behind the program.
    """

    name: str
    lines: tuple[str, ...]
    start: int
    end: int
    right: str
    tests: str

    @property
    def code_lines(self) -> list[int]:
        """The numbers of the lines that are not blank."""
        return [number for number, line in enumerate(self.lines) if line.strip()]

    @property
    def guilty(self) -> set[int]:
        """The wrong lines of code, or the nearest ones on both sides of what is missing."""
        wrong = {line for line in self.code_lines if self.start <= line < self.end}
        before = [line for line in self.code_lines if line < self.start][-1:]
        after = [line for line in self.code_lines if line >= self.start][:1]
        return wrong or {*before, *after}

    @property
    def case(self) -> Case:
        """The hole where the right code belongs."""
        return self.hole(self.start, self.end, self.right)

    def hole(self, start: int, end: int, truth: str = "") -> Case:
        """Return the program without its lines [start, end), the cursor in their place and indented as they were.

        Where nothing is taken away, as the line that follows.
        """
        model = self.lines[start] if start < len(self.lines) else self.lines[-1]
        indent = model[: len(model) - len(model.lstrip())]
        return Case(
            name=self.name,
            kind="repair",
            before="".join(f"{line}\n" for line in self.lines[:start]) + indent,
            truth=truth.removeprefix(indent),
            after="".join(f"\n{line}" for line in self.lines[end:]),
            program=(self.tests,),
        )


def read_quixbugs(path: Path) -> list[Bug]:
    """Read a file of the benchmark, `.jsonl`; raise ValueError with its name if it is none."""
    try:
        bugs = [_bug(task) for task in json.Decoder(_Task).decode_lines(path.read_bytes())]
    except ValueError as error:
        raise ValueError(f"{path} is not a file of QuixBugs: {error}") from error
    if not bugs:
        raise ValueError(f"{path} holds no programs")
    return bugs


def _bug(task: _Task) -> Bug:
    """Find the one place where program and solution differ; comments and trailing blanks do not count."""
    wrong, right = task.buggy_program.split("\n"), task.solution.split("\n")
    matcher = SequenceMatcher(None, [_code(line) for line in wrong], [_code(line) for line in right], False)
    places = [
        (start, end, new_start, new_end)
        for tag, start, end, new_start, new_end in matcher.get_opcodes()
        if tag != "equal" and any(_code(line) for line in (*wrong[start:end], *right[new_start:new_end]))
    ]
    if len(places) != 1:
        raise ValueError(f"{task.name} differs from its solution in {len(places)} places, not in one")
    if not any(_code(line) for line in wrong):
        raise ValueError(f"{task.name} holds no code")
    [(start, end, new_start, new_end)] = places
    return Bug(task.name, tuple(wrong), start, end, "\n".join(right[new_start:new_end]), task.tests)


def _code(line: str) -> str:
    return line.partition("#")[0].rstrip()
