"""Decides which files are ordinary, hand-written code worth learning from.

Looks at one file at a time; duplicates and evaluation sets are judged elsewhere.
"""

from __future__ import annotations

import ast
import re
import warnings

from dllm_lsp.training.corpus.licenses import RefusedError

_SMALLEST = 200  # characters
_LARGEST = 300_000  # characters
_LONGEST_LINE = 500  # characters
_LONGEST_MEAN_LINE = 80  # characters
_HEAD = 1500  # characters at the start of a file in which generators leave their mark
_MOST_DATA = 0.5  # share of lines that hold nothing but literals

_FOREIGN_FOLDERS = frozenset(
    {"_vendor", "vendor", "vendored", "_vendored", "extern", "third_party", "_distutils"}
)
_GENERATED_NAME = re.compile(r"_pb2(_grpc)?\.pyi?$|(^|/)_version\.py$")
_GENERATED_MARK = re.compile(
    r"\bgenerated (by|from|with|using|file|code)\b|auto-?generated|automatically generated|"
    r"do not (edit|modify)|@generated|machine generated",
    re.IGNORECASE,
)
_LITERAL_LINE = re.compile(r"""\s*(?:[bru]{0,2}["']|[-+]?\d|[\[\](){}][^a-zA-Z_]*$|[\[({]+[-\d"'])""")


def readable(content: bytes) -> str:
    """`content` as text with line feeds for line ends. Raises RefusedError when it is not UTF-8 text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedError("not UTF-8") from error
    if "\0" in text:
        raise RefusedError("not text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def refuse_foreign(path: str, forbidden: frozenset[str]) -> None:
    """Raise RefusedError when `path` names a forbidden package or lies in a vendored copy.

    A vendored copy may have another license than the package that holds it.
    """
    parts = path.removesuffix(".py").lower().split("/")
    if not _FOREIGN_FOLDERS.isdisjoint(parts):
        raise RefusedError("vendored")
    if not forbidden.isdisjoint(part.replace("_", "-") for part in parts):
        raise RefusedError("forbidden")


def refuse_poor(path: str, text: str) -> None:
    """Raise RefusedError, with the reason, when the Python file `path` is not ordinary hand-written code."""
    if not _SMALLEST <= len(text) <= _LARGEST:
        raise RefusedError("too small or too large")
    if _GENERATED_NAME.search(path) or _GENERATED_MARK.search(text[:_HEAD]):
        raise RefusedError("generated")
    lines = [line for line in text.split("\n") if line.strip()]
    longest, total = max(map(len, lines), default=0), sum(map(len, lines))
    if longest > _LONGEST_LINE or total > _LONGEST_MEAN_LINE * len(lines):
        raise RefusedError("long lines")
    if sum(bool(_LITERAL_LINE.match(line)) for line in lines) > _MOST_DATA * len(lines):
        raise RefusedError("data table")
    _refuse_unparsable(text)


def _refuse_unparsable(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise RefusedError("does not parse") from error
