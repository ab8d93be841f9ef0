"""Whether a suggestion brings a syntax error that was not there before. Knows Python; of others it says no.

Code that is being typed is unfinished, so what counts is not whether the file parses. CPython's parser tells
unfinished input from wrong input: a suggestion is wrong when no continuation can make its line right, or when
it breaks lines below that were right. Where the code above is already wrong, CPython can say nothing;
tree-sitter recovers from errors, and a suggestion may then not add one to its line.
"""

from __future__ import annotations

from dllm_lsp.syntax.python import Judgment, Verdict, judge
from dllm_lsp.syntax.region import Region
from dllm_lsp.syntax.tree import errors_on_row


def breaks(region: Region, text: str) -> bool:
    """Return whether inserting one line's `text` at the cursor introduces a syntax error."""
    if region.language != "python":
        return False
    if not _judge(region, text, whole=True).invalid:
        return False
    if judge(_source(region.above, region.indent)).invalid:
        return _errors_on_line(region, text) > _errors_on_line(region, "")
    line = _judge(region, text)
    if line.verdict is Verdict.INCOMPLETE:
        return False
    if line.verdict is Verdict.COMPLETE:
        return not _judge(region, "", whole=True).invalid
    return _reaches_text(line, region) or not _judge(region, "").invalid


def _judge(region: Region, text: str, *, whole: bool = False) -> Judgment:
    """Judge the code down to the end of the cursor's line, or the whole region."""
    below = region.below if whole else ""
    return judge(_source(region.above + region.head + text + region.tail + below, region.indent))


def _source(code: str, indent: int) -> str:
    """Give code that begins indented a block to stand in."""
    return f"if 1:\n{code}" if indent else code


def _cursor_row(region: Region) -> int:
    """Return the zero-based row of the cursor in the region's source."""
    return _source(region.above, region.indent).count("\n")


def _reaches_text(error: Judgment, region: Region) -> bool:
    """An error that ends before the cursor was made by the person who typed there."""
    return (error.line, error.column) > (_cursor_row(region) + 1, len(region.head))


def _errors_on_line(region: Region, text: str) -> int:
    code = region.above + region.head + text + region.tail + region.below
    return errors_on_row(_source(code, region.indent), _cursor_row(region), region.language)
