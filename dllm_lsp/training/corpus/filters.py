"""Decides which files are ordinary, hand-written code worth learning from.

Looks at one file at a time; duplicates and evaluation sets are judged elsewhere.
"""

from __future__ import annotations

import ast
import re
import warnings

from dllm_lsp.languages.known import PYTHON
from dllm_lsp.languages.language import Language
from dllm_lsp.languages.lookup import is_code, written_in
from dllm_lsp.training.corpus.licenses import RefusedError

_SMALLEST = 200  # characters
_LARGEST = 300_000  # characters
_LONGEST_LINE = 500  # characters
_LONGEST_MEAN_LINE = 80  # characters
_HEAD = 1500  # characters at the start of a file in which generators leave their mark
_MOST_DATA = 0.5  # share of lines that hold nothing but literals

_FOREIGN_FOLDERS = frozenset(
    {"_vendor", "vendor", "vendored", "_vendored", "extern", "third_party", "thirdparty", "_distutils"}
    | {"thirdparty_files", "node_modules"}
)
_TRANSLATED_FOLDERS = frozenset({"locale", "locales", "i18n", "translations"})
_BUILT_FOLDERS = frozenset({"dist", "build", "umd", "cjs", "esm", "es", "es6", "bundles", "min", "compiled"})
_TEST_FOLDERS = frozenset({"test", "tests", "testing", "__tests__", "spec"})
_TEST_NAME = re.compile(r"test_|conftest\.py$|.*(_test\.py|[.-](test|spec)\.[cm]?[jt]sx?)$")
_GENERATED_NAME = re.compile(r"_pb2(_grpc)?\.pyi?$|(^|/)_version\.py$|_pb\.[jt]s$|(^|/)_?generated/")
_GENERATED_MARK = re.compile(
    r"\bgenerated (by|from|with|using|file|code)\b|auto-?generated|automatically generated|"
    r"do not (edit|modify)|@generated|machine generated",
    re.IGNORECASE,
)
_BUILT_NAME = re.compile(r"[.-](min|bundle|umd)\.[cm]?js$")
_BUILT_MARK = re.compile(
    r"__esModule|__webpack_|_interopRequire|__awaiter\b|__importDefault|__extends =|_classCallCheck|"
    r"_objectSpread|void 0;|# sourceMappingURL=|\btypeof define\b.*\bdefine\.amd\b"
)
_LITERAL_LINE = re.compile(
    r"""\s*(?:[bru]{0,2}["']|[-+]?\d|[\[\](){}][^a-zA-Z_]*$|[\[({]+[-\d"']|.*\\n\\$)"""
)


def language_of(path: str) -> Language:
    """The language of the file `path`. Raises RefusedError when it is none that models learn."""
    if not is_code(path):
        raise RefusedError("no code")
    return written_in(path)


def readable(content: bytes) -> str:
    """`content` as text with line feeds for line ends. Raises RefusedError when it is not UTF-8 text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedError("not UTF-8") from error
    if "\0" in text:
        raise RefusedError("not text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_test(path: str) -> bool:
    """Whether `path` is a test rather than what is tested."""
    *folders, name = path.lower().split("/")
    return not _TEST_FOLDERS.isdisjoint(folders) or bool(_TEST_NAME.match(name))


def refuse_foreign(path: str, forbidden: frozenset[str]) -> None:
    """Raise RefusedError when `path` names a forbidden package or lies in a vendored copy.

    A vendored copy may have another license than the package that holds it.
    """
    *folders, name = path.lower().split("/")
    parts = [*folders, name.partition(".")[0]]
    if not _FOREIGN_FOLDERS.isdisjoint(parts):
        raise RefusedError("vendored")
    if not forbidden.isdisjoint(part.replace("_", "-") for part in parts):
        raise RefusedError("forbidden")


def refuse_poor(path: str, text: str) -> None:
    """Raise RefusedError, with the reason, when the file `path` is not ordinary hand-written code."""
    if not _SMALLEST <= len(text) <= _LARGEST:
        raise RefusedError("too small or too large")
    if not _TRANSLATED_FOLDERS.isdisjoint(path.lower().split("/")[:-1]):
        raise RefusedError("translations")
    if _GENERATED_NAME.search(path) or _GENERATED_MARK.search(text[:_HEAD]):
        raise RefusedError("generated")
    lines = [line for line in text.split("\n") if line.strip()]
    longest, total = max(map(len, lines), default=0), sum(map(len, lines))
    if longest > _LONGEST_LINE or total > _LONGEST_MEAN_LINE * len(lines):
        raise RefusedError("long lines")
    if sum(bool(_LITERAL_LINE.match(line)) for line in lines) > _MOST_DATA * len(lines):
        raise RefusedError("data table")
    if language_of(path) is PYTHON:
        _refuse_unparsable(text)
    else:
        _refuse_built(path, text)


def is_ordinary(path: str, text: str) -> bool:
    """Whether the file `path`, in a language that models learn, is ordinary hand-written code."""
    try:
        refuse_poor(path, text)
    except RefusedError:
        return False
    return True


def _refuse_unparsable(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise RefusedError("does not parse") from error


def _refuse_built(path: str, text: str) -> None:
    """Refuse what a compiler or a bundler made from the sources, which are to be learned from instead."""
    in_built = not _BUILT_FOLDERS.isdisjoint(path.lower().split("/")[:-1])
    if in_built or language_of(path).declares(path) or _BUILT_NAME.search(path) or _BUILT_MARK.search(text):
        raise RefusedError("built from sources")
