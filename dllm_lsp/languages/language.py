"""What is known of one programming language. Knows no document and no parser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

Imports = Callable[[str, str], Iterator[list[str]]]
"""Yields, for every import in a file's path and text, the paths that it may mean, the likeliest first.

Paths are relative to the project's root, with slashes.
"""


@dataclass(frozen=True, slots=True)
class Grammar:
    """A tree-sitter grammar: the module of its wheel, and the function there that returns it."""

    module: str
    function: str = "language"


@dataclass(frozen=True, slots=True)
class Dialect:
    """A way of writing a language that LSP gives an id of its own, such as TypeScript with JSX.

    The first of the `ids` is LSP's; some editors send the others. The `suffixes` of files are in lower case.
    """

    ids: tuple[str, ...]
    suffixes: tuple[str, ...] = ()
    grammar: Grammar | None = None

    @property
    def id(self) -> str:
        """The LSP language id."""
        return self.ids[0]


@dataclass(frozen=True, slots=True)
class Quote:
    r"""The mark that begins and ends a string.

    `lines`: the string may hold line breaks. `escapes`: "\" takes its meaning from what follows it. `single`: it holds
    one character, and without an end the mark is no quote (the `'a` of Rust is a lifetime).
    """

    mark: str
    lines: bool = False
    escapes: bool = True
    single: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Language:
    """One language; there is one record of each, so records are compared by identity."""

    name: str
    """The LSP id of its first dialect, and its name in corpora."""

    dialects: tuple[Dialect, ...]

    begin: str = ""
    """Name of the begin token of the bundled architecture's tokenizer; empty: the one that other languages share.

    Languages that have one are what models learn, and so what is read of a project.
    """

    declarations: tuple[str, ...] = ()
    """Endings of the names of files that declare what is written elsewhere."""

    holds_secrets: bool = False
    """Whether a file of it that is named `secrets` is taken to hold them, and not to be code that handles them."""

    line_comment: str = "//"
    block_comment: tuple[str, str] | None = ("/*", "*/")
    brackets: tuple[tuple[str, str], ...] = (("(", ")"), ("[", "]"), ("{", "}"))

    quotes: tuple[Quote, ...]
    """Where one mark begins with another, the longer one stands first."""

    literals: str = ""
    """Pattern of what else may hold marks that mean nothing: raw strings, numbers with apostrophes."""

    clauses: tuple[str, ...]
    """Words that begin a line but no statement: they go on with the statement before."""

    block: str = ""
    """A line that opens a block where indentation alone does; empty where brackets do."""

    enclosing: str = ""
    """A line that opens what members stand in, such as a class, where they are no program by themselves."""

    tabs: bool = False
    """Whether nearly all code of it is indented with tabs, so that models know it so."""

    imports: Imports | None = None

    def dialect(self, id: str) -> Dialect:
        """Return the dialect that an editor's id names; the first for an id of another language."""
        return next((dialect for dialect in self.dialects if id in dialect.ids), self.dialects[0])

    @property
    def closers(self) -> dict[str, str]:
        """The bracket that closes each bracket that opens."""
        return dict(self.brackets)

    @property
    def closing(self) -> str:
        """The characters of all marks that close something."""
        return "".join([*self.closers.values(), *dict.fromkeys(quote.mark[0] for quote in self.quotes)])

    def declares(self, path: str) -> bool:
        """Whether a file of this name only declares what is written elsewhere."""
        return path.lower().endswith(self.declarations)
