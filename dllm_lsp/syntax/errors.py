"""Whether a suggestion brings a syntax error that was not there before. Of languages without a grammar it says no.

Code that is being typed is unfinished, so what counts is not whether the file parses. CPython's parser tells
unfinished input from wrong input in Python, and tree-sitter's in other languages: a suggestion is wrong when no
continuation can make its lines right, or when it breaks lines below that were right. What the code right of the cursor
lacks or has too much without the suggestion, as the colon behind a bracket that the editor closed, is not its fault.
Where the code above is already wrong, that says nothing; tree-sitter recovers from errors, and a suggestion may then
not add one to its lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dllm_lsp.infill.hole import Hole
from dllm_lsp.languages.known import PYTHON
from dllm_lsp.languages.lookup import language_of
from dllm_lsp.syntax import python, tree
from dllm_lsp.syntax.grammars import parser
from dllm_lsp.syntax.judgment import Judgment, Verdict
from dllm_lsp.syntax.region import Region, region_of, whole_region
from dllm_lsp.syntax.scanner import goes_on


def breaks(hole: Hole, text: str) -> bool:
    """Return whether inserting `text` into the hole introduces a syntax error."""
    is_python = language_of(hole.language) is PYTHON
    if not is_python and parser(hole.language) is None:
        return False
    near = region_of(hole, text)
    if not _judge(near, text, below=True).invalid:
        return False
    if not is_python and goes_on(hole.before + text, language_of(hole.language)):
        return False  # in a comment, for one, which the near region may show the end of alone
    for region in _regions(hole, text, near):
        if not _parsed(region.header + region.above, region.language).invalid:
            return _is_at_fault(region, text)
    return _errors_on_lines(near, text) > _errors_on_lines(near, "")


def _regions(hole: Hole, text: str, near: Region) -> Iterator[Region]:
    """Yield regions to judge by: any may begin inside a string, or hold errors of its own above the cursor."""
    yield whole_region(hole, text)
    yield near
    if enclosing := language_of(hole.language).enclosing:
        yield replace(near, header=f"{enclosing}\n")


def _is_at_fault(region: Region, text: str) -> bool:
    """Return whether `text` breaks its lines or those below, given that those above are right."""
    lines = _judge(region, text)
    if lines.verdict is Verdict.INCOMPLETE:
        return False
    if lines.verdict is Verdict.COMPLETE:
        return _judge(region, text, below=True).invalid and not _judge(region, "", below=True).invalid
    without = _judge(region, "")
    return not (
        without.invalid and (_is_before(lines, region) or _stands_behind(lines, without, region, text))
    )


def _judge(region: Region, text: str, *, below: bool = False) -> Judgment:
    """Judge the code down to the end of the line that `text` ends in, or with the lines below it."""
    code = region.header + region.above + region.head + text + region.tail
    return _parsed(code + region.below if below else code, region.language)


def _parsed(source: str, id: str) -> Judgment:
    return python.judge(source) if language_of(id) is PYTHON else tree.judge(source, id)


def _is_before(error: Judgment, region: Region) -> bool:
    """An error that ends before the cursor was made by the person who typed there."""
    return (error.line, error.column) <= (_cursor_row(region) + 1, len(region.head))


def _stands_behind(error: Judgment, without: Judgment, region: Region, text: str) -> bool:
    """Return whether an error ends behind `text`, in the tail, and the one that is there `without` it no further on.

    Where there is no tail, `text` ends the line, and has to end it well.
    """
    if not region.tail.strip():
        return False
    end, cursor = _cursor_row(region) + 1 + text.count("\n"), _cursor_row(region) + 1
    start = len((region.head + text).rpartition("\n")[2])
    behind = error.column - start, without.column - len(region.head)
    return error.line >= end and without.line >= cursor and behind[0] >= max(behind[1], 2)


def _errors_on_lines(region: Region, text: str) -> int:
    code = region.header + region.above + region.head + text + region.tail + region.below
    first = _cursor_row(region)
    return tree.errors_on_rows(code, range(first, first + text.count("\n") + 1), region.language)


def _cursor_row(region: Region) -> int:
    """Return the zero-based row of the cursor in the region with its header."""
    return (region.header + region.above).count("\n")
