"""How far a suggestion reaches into what is written, and how probable it can still be. Knows lines, no grammar.

- A *line* ends before its line end.
- A *block* ends behind the last of its lines, before the line end. Which lines belong to it, indentation says; blank
  lines say nothing. The first line is the cursor's, with what is written into it; if that is blank, it is the first
  written line that is not.
  - The second line is indented more: the first line opens the block. The block is over at the next line that is
    indented no more than the first, unless that goes on with the same statement, as `else` or a closing bracket does.
  - Otherwise the first line stands within a block. That is over at the next line that is indented less.
- *All* is whatever is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from math import prod
from typing import Literal, NamedTuple

from dllm_lsp.infill.indentation import TAB
from dllm_lsp.infill.pieces import Piece
from dllm_lsp.languages.known import PLAIN

Extent = Literal["line", "block", "all"]
"""How far an answer reaches: to the end of its line, of its block, or as far as the model writes."""

_LINE_END = re.compile(r"[\r\n]")
_BEHIND_CODE = re.compile(r"(?<=\S)[ \t]*(?:\r\n|[\r\n])")
_LINE = re.compile(r"^([ \t]*)(\S.*)$", re.MULTILINE)  # none that is blank
_GOES_ON = re.compile(rf"[)\]}}]|(?:{'|'.join(PLAIN.clauses)})\b")  # of whatever language
_FIRST_WORD = re.compile(r"\w+\W|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Portion:
    """What of a canvas belongs to a suggestion.

    `pieces` are its tokens up to its end; the last one may be cut. While a mask is left before its end, they are the
    tokens up to that mask, and `end` is None. Otherwise `end` is the probability that the suggestion ends behind them.
    `bound` is the most that the probability of the whole can still become, its tokens taken as independent: written
    tokens stay, and more tokens only lower it.
    """

    pieces: tuple[Piece, ...]
    end: float | None
    bound: float


def portion_of(pieces: Sequence[Piece], end: float, extent: Extent, before: str) -> Portion:
    """Return what of `pieces`, written behind the code `before`, belongs to a suggestion of this extent.

    `end` is the probability that the text ends where the canvas does. A line or block may end before that. Then its end
    is as probable as the tokens behind it that show it: the line end, and behind a block the next line's indentation.
    """
    written = tuple(takewhile(lambda piece: piece.text is not None, pieces))
    is_whole = len(written) == len(pieces)
    found = _end(written, extent, before, is_whole=is_whole)
    if found is not None and found.is_sure:
        return _cut(written, found)
    # A mask may become the end of a line or block, so only what stands before the first one surely belongs to it.
    certain = [piece for piece in pieces if piece.text is not None] if extent == "all" else written
    if found is not None:
        certain = [piece for piece, start in _placed(written) if start < found.shown]
    bound = prod(piece.probability for piece in certain)
    return Portion(written, end, bound * end) if is_whole else Portion(written, None, bound)


def portions_of(pieces: Sequence[Piece], end: float, extent: Extent, before: str) -> Iterator[Portion]:
    """Yield what may be suggested of `pieces`: all that belongs to the extent, then ever fewer lines of that.

    Every one of them is all there (its `end` is not None). None ends with a line that is blank.
    """
    whole = portion_of(pieces, end, extent, before)
    if whole.end is not None:
        yield whole
    if extent != "line":
        text = "".join(piece.text or "" for piece in whole.pieces)
        for line_end in reversed(list(_BEHIND_CODE.finditer(text))):
            yield _cut(whole.pieces, _End(*line_end.span()))


class _End(NamedTuple):
    """An extent ends at the character `stop`; the text up to `shown` shows that.

    It is not `is_sure` while a mask behind that may yet become a text that says otherwise.
    """

    stop: int
    shown: int
    is_sure: bool = True


def _end(written: Sequence[Piece], extent: Extent, before: str, *, is_whole: bool) -> _End | None:
    text = "".join(piece.text or "" for piece in written)
    if extent == "line":
        found = _LINE_END.search(text)
        return _End(found.start(), found.end()) if found else None
    return _block_end(text, before, is_whole=is_whole) if extent == "block" else None


def _block_end(text: str, before: str, *, is_whole: bool) -> _End | None:
    head = before.rpartition("\n")[2]
    code = (head + text).replace("\r", "\n")
    lines = list(_LINE.finditer(code))
    opened = len(lines) > 1 and _width(lines[1]) > _width(lines[0])
    for last, line in pairwise(lines):
        deeper = _width(line) - _width(lines[0])
        if deeper < 0 or (opened and deeper == 0 and not _GOES_ON.match(line[2])):
            is_cut = not is_whole and line.end() == len(code)  # "el" may become an `else`
            is_sure = deeper < 0 or not is_cut or bool(_FIRST_WORD.match(line[2]))
            return _End(last.end() - len(head), line.start(2) - len(head), is_sure)
    return None


def _width(line: re.Match[str]) -> int:
    return len(line[1].expandtabs(TAB))


def _cut(written: Sequence[Piece], found: _End) -> Portion:
    """Return the tokens up to the extent's end. The end is as probable as the tokens behind it that show it."""
    kept: list[Piece] = []
    end = 1.0
    for piece, start in _placed(written):
        text = piece.text or ""
        if start + len(text) <= found.stop:
            kept.append(piece)
        elif start < found.stop:
            kept.append(Piece(text[: found.stop - start], piece.probability))
        elif start < found.shown:
            end *= piece.probability
    return Portion(tuple(kept), end, prod(piece.probability for piece in kept) * end)


def _placed(written: Sequence[Piece]) -> Iterator[tuple[Piece, int]]:
    """Yield each token with the number of characters before it."""
    start = 0
    for piece in written:
        yield piece, start
        start += len(piece.text or "")
