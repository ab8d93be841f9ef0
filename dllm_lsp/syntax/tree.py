"""What tree-sitter says of a piece of source. Knows no cursor and no suggestion.

Its parser recovers from errors, so it tells those on some lines from those on others. Whether code is wrong or only
unfinished, its tree does not tell, but its log does: of unfinished code, the first token that no parse can go on with
is the end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dllm_lsp.languages.lookup import language_of
from dllm_lsp.syntax.grammars import parser
from dllm_lsp.syntax.judgment import Judgment, Verdict
from dllm_lsp.syntax.scanner import goes_on, scan

if TYPE_CHECKING:
    from tree_sitter import LogType, Node, Parser

_PLACE = re.compile(r"lex_\w+ state:\d+, row:(\d+), column:(\d+)")
_TOKEN = re.compile(r"lexed_lookahead sym:.*, size:(\d+)", re.DOTALL)
_AT_END = "detect_error lookahead:end"


def judge(source: str, id: str) -> Judgment:
    """Parse source whose last line is finished, with the grammar of an LSP language id.

    Raises ValueError where there is none.
    """
    parse = parser(id)
    if parse is None:
        raise ValueError(f"there is no grammar of {id}")
    data = _encoded(f"{source}\n")
    root = parse.parse(data).root_node
    if not root.has_error:
        return Judgment(Verdict.COMPLETE)
    if goes_on(source, language_of(id)):
        return Judgment(Verdict.INCOMPLETE)
    end = _first_error_end(parse, data) or _broken_string_end(root, source, id)
    if end is None:
        return Judgment(Verdict.INCOMPLETE)
    before = data[:end].decode("utf-8", "ignore")
    return Judgment(Verdict.INVALID, before.count("\n") + 1, len(before) - before.rfind("\n"))


def errors_on_rows(source: str, rows: range, id: str) -> int:
    """Return how many ERROR and MISSING nodes lie on one of the zero-based rows; 0 for languages without a grammar.

    A node over several rows is how the parser recovers from an error somewhere else.
    """
    parse = parser(id)
    if parse is None:
        return 0
    pending = [parse.parse(_encoded(source)).root_node]
    found = 0
    while pending:
        node = pending.pop()
        if (node.is_error or node.is_missing) and node.start_point.row == node.end_point.row in rows:
            found += 1
        pending += [child for child in node.children if child.has_error and _touches(child, rows)]
    return found


def _touches(node: Node, rows: range) -> bool:
    return node.start_point.row < rows.stop and rows.start <= node.end_point.row


def _broken_string_end(root: Node, source: str, id: str) -> int | None:
    """Return where, in bytes, a line ends that a string must not go beyond; None where all strings end."""
    for lexeme in scan(source, language_of(id)):
        if lexeme.is_closed:
            continue
        mark = len(_encoded(source[: lexeme.start]))
        leaf = root.descendant_for_byte_range(mark, mark + len(lexeme.text))
        if leaf is not None and leaf.type == lexeme.text:  # and not a part of something else
            return len(_encoded(source[: lexeme.end]))
    return None


def _first_error_end(parse: Parser, data: bytes) -> int | None:
    """Return where, in bytes, the first token ends that no parse can go on with; None where that is the end."""
    log = _Log()
    parse.logger = log.take
    try:
        parse.parse(data)
    finally:
        del parse.logger
    return log.error_end(data)


class _Log:
    """What a parser logs down to its first error.

    Several parses go on side by side, and one that fails is given up ("detect_error"). When the last one fails, the
    parser begins to recover from that ("resume").
    """

    def __init__(self) -> None:
        self._place = self._token = self._failed = ""
        self._is_over = False

    def take(self, _kind: LogType, message: str) -> None:
        """Take a line of the log."""
        if self._is_over:
            return
        if message.startswith("lex_"):
            self._place = message
        elif message.startswith("lexed_lookahead"):
            self._token = message
        elif message.startswith("detect_error"):
            self._failed = message
        elif message.startswith("resume"):
            self._is_over = True

    def error_end(self, data: bytes) -> int | None:
        """Return where the first error's token ends in what was parsed; None if that is the end or is not known."""
        place, token = _PLACE.match(self._place), _TOKEN.match(self._token)
        if not self._is_over or self._failed == _AT_END or place is None or token is None:
            return None
        row, column = map(int, place.groups())
        start = sum(len(line) + 1 for line in data.split(b"\n", row)[:row])
        return start + column + int(token[1])


def _encoded(source: str) -> bytes:
    return source.encode("utf-8", "replace")
