"""How languages write imports, and which files these may mean. Reads text with patterns; knows no disk."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

_PYTHON = re.compile(
    r"^[ \t]*from[ \t]+(?P<dots>\.*)(?P<module>[\w.]*)[ \t]+import[ \t]*(?P<names>\([^)]{0,4000}\)|[^\n]*)"
    r"|^[ \t]*import[ \t]+(?P<modules>[\w., \t]+)",
    re.MULTILINE,
)
_SCRIPT = re.compile(r"""(?:\bfrom|\bimport|\brequire\s*\(|\bimport\s*\()\s*["'](\.[^"'\n]*)["']""")


def python_imports(path: str, text: str) -> Iterator[list[str]]:
    """Yield what Python's statements may mean.

    A module may lie below any folder above the file, as in projects whose packages lie in `src`.
    """
    for match in _PYTHON.finditer(text):
        yield from _modules(path, match)


def script_imports(
    path: str, text: str, typed: tuple[str, ...], compiled: tuple[str, ...]
) -> Iterator[list[str]]:
    """Yield what imports of relative paths may mean in JavaScript and TypeScript; others are not followed.

    `typed` and `compiled` are the suffixes of TypeScript and JavaScript. TypeScript names what it will be compiled to.
    """
    for match in _SCRIPT.finditer(text):
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
        stem = next((file.removesuffix(suffix) for suffix in compiled if file.endswith(suffix)), file)
        stems = dict.fromkeys((file, stem, f"{file}/index"))
        yield [file, *(each + suffix for each in stems for suffix in (*typed, *compiled))]


def _modules(path: str, match: re.Match[str]) -> Iterator[list[str]]:
    """Yield the files that one Python statement may mean: the modules it names, and modules of that package."""
    folders = path.split("/")[:-1]
    if match["modules"]:
        names = [each.split()[0].split(".") for each in match["modules"].split(",") if each.strip()]
    else:
        package = [part for part in match["module"].split(".") if part]
        members = (each.split()[0] for each in match["names"].strip("() \t").split(",") if each.strip())
        names = [*([*package, member] for member in members), package]
    dots = len(match["dots"] or "")
    if dots > len(folders) + 1:
        return
    roots = [folders[: len(folders) - dots + 1]] if dots else [folders[:n] for n in range(len(folders) + 1)]
    for name in names:
        files = ["/".join([*root, *name]) for root in roots if root or name]
        yield [file + suffix for file in files for suffix in (".py", "/__init__.py")]
