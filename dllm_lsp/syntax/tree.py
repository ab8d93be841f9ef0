"""tree-sitter: parsing that recovers from errors. Knows grammars, no cursor and no suggestion."""

from __future__ import annotations

from functools import cache

import tree_sitter_python
from tree_sitter import Language, Node, Parser

_GRAMMARS = {"python": tree_sitter_python.language}


def errors_on_row(source: str, row: int, language: str) -> int:
    """Return how many ERROR and MISSING nodes lie on the zero-based row; 0 for languages without a grammar.

    A node over several rows is how the parser recovers from an error somewhere else.
    """
    if language not in _GRAMMARS:
        return 0
    pending = [_parser(language).parse(source.encode()).root_node]
    found = 0
    while pending:
        node = pending.pop()
        if (node.is_error or node.is_missing) and node.start_point.row == row == node.end_point.row:
            found += 1
        pending += [child for child in node.children if child.has_error and _touches(child, row)]
    return found


def _touches(node: Node, row: int) -> bool:
    return node.start_point.row <= row <= node.end_point.row


@cache
def _parser(language: str) -> Parser:
    return Parser(Language(_GRAMMARS[language]()))
