"""Whether a suggestion brings a syntax error that was not there before. Knows Python; of others it says no.

Code that is being typed is unfinished, so what counts is not whether the file parses. CPython's parser tells
unfinished input from wrong input: a suggestion is wrong when no continuation can make its lines right, or when
it breaks lines below that were right. Where the code above is already wrong, CPython can say nothing;
tree-sitter recovers from errors, and a suggestion may then not add one to its lines.
"""

from __future__ import annotations

from dllm_lsp.infill.hole import Hole
from dllm_lsp.syntax.python import Judgment, Verdict, judge
from dllm_lsp.syntax.region import Region, region_of, whole_region
from dllm_lsp.syntax.tree import errors_on_row


def breaks(hole: Hole, text: str) -> bool:
    """Return whether inserting `text` into the hole introduces a syntax error."""
    if hole.language != "python":
        return False
    near = region_of(hole, text)
    if not _judge(near, text, below=True).invalid:
        return False
    # The near region may begin inside a string, the whole one too, and either may hold errors of its own.
    for region in (whole_region(hole, text), near):
        if not judge(region.header + region.above).invalid:
            return _is_at_fault(region, text)
    return _errors_on_lines(near, text) > _errors_on_lines(near, "")


def _is_at_fault(region: Region, text: str) -> bool:
    """Return whether `text` breaks its lines or those below, given that those above are right."""
    lines = _judge(region, text)
    if lines.verdict is Verdict.INCOMPLETE:
        return False
    if lines.verdict is Verdict.COMPLETE:
        return _judge(region, text, below=True).invalid and not _judge(region, "", below=True).invalid
    return _reaches_text(lines, region) or not _judge(region, "").invalid


def _judge(region: Region, text: str, *, below: bool = False) -> Judgment:
    """Judge the code down to the end of the line that `text` ends in, or with the lines below it."""
    code = region.header + region.above + region.head + text + region.tail
    return judge(code + region.below if below else code)


def _reaches_text(error: Judgment, region: Region) -> bool:
    """An error that ends before the cursor was made by the person who typed there."""
    return (error.line, error.column) > (_cursor_row(region) + 1, len(region.head))


def _errors_on_lines(region: Region, text: str) -> int:
    code = region.header + region.above + region.head + text + region.tail + region.below
    first = _cursor_row(region)
    rows = range(first, first + text.count("\n") + 1)
    return sum(errors_on_row(code, row, region.language) for row in rows)


def _cursor_row(region: Region) -> int:
    """Return the zero-based row of the cursor in the region with its header."""
    return (region.header + region.above).count("\n")
