"""The languages that are known. A new one is a record here, and its grammar's wheel in `pyproject.toml`."""

from __future__ import annotations

from functools import partial

from dllm_lsp.languages.imports import python_imports, script_imports
from dllm_lsp.languages.language import Dialect, Grammar, Language, Quote

_STRING, _CHARACTERS, _TEMPLATE = Quote('"'), Quote("'"), Quote("`", lines=True)
_TEXT_BLOCK = Quote('"""', lines=True)
_BRACED = ("else", "catch", "finally", "case", "default")

PYTHON = Language(
    name="python",
    dialects=(Dialect(("python",), (".py", ".pyi"), Grammar("tree_sitter_python")),),
    begin="python",
    declarations=(".pyi",),
    line_comment="#",
    block_comment=None,
    # "`" quotes code in docstrings, whose beginning is not always in view.
    quotes=(_TEXT_BLOCK, Quote("'''", lines=True), _STRING, _CHARACTERS, _TEMPLATE),
    clauses=("else", "elif", "except", "finally", "case"),
    block="if 1:",
    imports=python_imports,
)

_COMPILED = (
    Dialect(("javascript",), (".js", ".mjs", ".cjs"), Grammar("tree_sitter_javascript")),
    Dialect(("javascriptreact", "javascript.jsx", "jsx"), (".jsx",), Grammar("tree_sitter_javascript")),
)
_TYPED = (
    Dialect(
        ("typescript",), (".ts", ".mts", ".cts"), Grammar("tree_sitter_typescript", "language_typescript")
    ),
    Dialect(
        ("typescriptreact", "typescript.tsx", "tsx"),
        (".tsx",),
        Grammar("tree_sitter_typescript", "language_tsx"),
    ),
)
_SCRIPT_IMPORTS = partial(
    script_imports,
    typed=tuple(suffix for dialect in _TYPED for suffix in dialect.suffixes),
    compiled=tuple(suffix for dialect in _COMPILED for suffix in dialect.suffixes),
)

JAVASCRIPT = Language(
    name="javascript",
    dialects=_COMPILED,
    begin="javascript",
    quotes=(_STRING, _CHARACTERS, _TEMPLATE),
    clauses=_BRACED,
    enclosing="class A {",
    imports=_SCRIPT_IMPORTS,
)

TYPESCRIPT = Language(
    name="typescript",
    dialects=_TYPED,
    begin="typescript",
    declarations=(".d.ts", ".d.mts", ".d.cts"),
    quotes=(_STRING, _CHARACTERS, _TEMPLATE),
    clauses=_BRACED,
    enclosing="class A {",
    imports=_SCRIPT_IMPORTS,
)

GO = Language(
    name="go",
    dialects=(Dialect(("go",), (".go",), Grammar("tree_sitter_go")),),
    begin="go",
    quotes=(_STRING, _CHARACTERS, Quote("`", lines=True, escapes=False)),
    clauses=("else", "case", "default"),
    tabs=True,
)

RUST = Language(
    name="rust",
    dialects=(Dialect(("rust",), (".rs",), Grammar("tree_sitter_rust")),),
    begin="rust",
    quotes=(Quote('"', lines=True), Quote("'", single=True)),
    literals=r'\b[bc]?r(?P<hashes>\#*)".*?(?:"(?P=hashes)|\Z)',
    clauses=("else", "where"),
)

JAVA = Language(
    name="java",
    dialects=(Dialect(("java",), (".java",), Grammar("tree_sitter_java")),),
    begin="java",
    quotes=(_TEXT_BLOCK, _STRING, _CHARACTERS),
    clauses=_BRACED,
    enclosing="class A {",
)

C = Language(
    name="c",
    dialects=(Dialect(("c",), (".c", ".h"), Grammar("tree_sitter_c")),),
    begin="c",
    quotes=(_STRING, _CHARACTERS),
    clauses=("else", "case", "default"),
)

CPP = Language(
    name="cpp",
    dialects=(Dialect(("cpp",), (".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx"), Grammar("tree_sitter_cpp")),),
    begin="cpp",
    quotes=(_STRING, _CHARACTERS),
    literals=r"""\b(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?(?:\)(?P=delimiter)"|\Z)|\b\d(?:[\w.]|'\w)*""",
    clauses=("else", "catch", "case", "default"),
    enclosing="class A {",
)

PLAIN = Language(
    name="plaintext",
    dialects=(Dialect(("plaintext",)),),
    holds_secrets=True,
    quotes=(_TEXT_BLOCK, Quote("'''", lines=True), _STRING, _CHARACTERS, _TEMPLATE),
    clauses=PYTHON.clauses,
)
"""What is taken for granted of every other language."""


def _with_hash_comments(
    ids: tuple[str, ...], suffixes: tuple[str, ...], holds_secrets: bool = True
) -> Language:
    """Return the record of a language that no model learns by itself, and of which a line comment is known."""
    return Language(
        name=ids[0],
        dialects=(Dialect(ids, suffixes),),
        holds_secrets=holds_secrets,
        line_comment="#",
        block_comment=None,
        quotes=PLAIN.quotes,
        clauses=PLAIN.clauses,
    )


KNOWN = (
    PYTHON,
    JAVASCRIPT,
    TYPESCRIPT,
    GO,
    RUST,
    JAVA,
    C,
    CPP,
    Language(
        name="kotlin",
        dialects=(Dialect(("kotlin",), (".kt",)),),
        quotes=(Quote('"""', lines=True, escapes=False), _STRING, _CHARACTERS),
        clauses=_BRACED,
    ),
    _with_hash_comments(("ruby",), (".rb",), holds_secrets=False),
    _with_hash_comments(("shellscript", "sh", "bash", "zsh"), (".sh", ".bash", ".zsh")),
    _with_hash_comments(("perl",), (".pl", ".pm")),
    _with_hash_comments(("r",), (".r",)),
    _with_hash_comments(("elixir",), (".ex", ".exs")),
    _with_hash_comments(("yaml",), (".yaml", ".yml")),
    _with_hash_comments(("toml",), (".toml",)),
)
"""All of them, PLAIN excepted."""
