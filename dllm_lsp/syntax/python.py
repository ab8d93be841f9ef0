"""What CPython's own parser says of a piece of Python source. Knows no tree-sitter and no cursor."""

from __future__ import annotations

import ast
import warnings

from dllm_lsp.syntax.judgment import Judgment, Verdict

# The flag with which the standard library's `codeop` tells unfinished input from wrong input.
_ALLOW_INCOMPLETE_INPUT = 0x4000
_FLAGS = ast.PyCF_ONLY_AST | _ALLOW_INCOMPLETE_INPUT


def judge(source: str) -> Judgment:
    """Parse source whose last line is finished, with the grammar of the running interpreter."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<document>", "exec", _FLAGS, dont_inherit=True)
    except SyntaxError as error:
        if error.msg == "incomplete input":
            return Judgment(Verdict.INCOMPLETE)
        return Judgment(Verdict.INVALID, *_end(error))
    except (ValueError, MemoryError, RecursionError, OverflowError):  # NUL characters, very deep nesting
        return Judgment(Verdict.INVALID)
    return Judgment(Verdict.COMPLETE)


def _end(error: SyntaxError) -> tuple[int, int]:
    start = (error.lineno or 0, error.offset or 0)
    return max(start, (error.end_lineno or 0, error.end_offset or 0))
