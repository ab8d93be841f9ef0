"""Parsers of tree-sitter, each made when its language is first asked for. Knows no cursor and no suggestion."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from dllm_lsp.languages.lookup import language_of

if TYPE_CHECKING:
    from tree_sitter import Parser


@cache
def parser(id: str) -> Parser | None:
    """Return the parser for an LSP language id; None where there is no grammar, or none that can be loaded."""
    grammar = language_of(id).dialect(id).grammar
    if grammar is None:
        return None
    try:
        from tree_sitter import Language, Parser  # noqa: PLC0415

        return Parser(Language(getattr(import_module(grammar.module), grammar.function)()))
    except (
        ImportError,
        AttributeError,
        ValueError,
    ):  # ValueError: of a version that this tree-sitter cannot read
        return None
