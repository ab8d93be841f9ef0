"""What a parser says of a piece of source whose last line is finished. Knows no parser."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Verdict(Enum):
    """COMPLETE: a program. INCOMPLETE: more lines can make it one. INVALID: nothing can."""

    COMPLETE = auto()
    INCOMPLETE = auto()
    INVALID = auto()


@dataclass(frozen=True, slots=True)
class Judgment:
    """A verdict; for INVALID also where the error ends: line and column, both from 1 (0: not known)."""

    verdict: Verdict
    line: int = 0
    column: int = 0

    @property
    def invalid(self) -> bool:
        """Whether no continuation can make this a program."""
        return self.verdict is Verdict.INVALID
