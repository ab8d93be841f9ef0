"""Which files of a project a file imports. Reads text with patterns; knows no interpreter, no package and no disk."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container, Iterator

_PYTHON = re.compile(
    r"^[ \t]*from[ \t]+(?P<dots>\.*)(?P<module>[\w.]*)[ \t]+import[ \t]*(?P<names>\([^)]{0,4000}\)|[^\n]*)"
    r"|^[ \t]*import[ \t]+(?P<modules>[\w., \t]+)",
    re.MULTILINE,
)
_SCRIPT = re.compile(r"""(?:\bfrom|\bimport|\brequire\s*\(|\bimport\s*\()\s*["'](\.[^"'\n]*)["']""")
_SCRIPT_SUFFIXES = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")


def imported(path: str, text: str, paths: Container[str]) -> list[str]:
    """Return which of `paths` the file `path`, whose text or beginning is `text`, imports, in order.

    Paths are relative to one root, with slashes. A Python module may lie below any folder above the file, as in
    projects whose packages lie in `src`. Of scripts, only imports of relative paths are followed.
    """
    found: dict[str, None] = {}
    for candidates in _candidates(path, text):
        match = next((each for each in candidates if each in paths), None)
        if match is not None and match != path:
            found[match] = None
    return list(found)


def _candidates(path: str, text: str) -> Iterator[list[str]]:
    """Yield, for every import, the files that it may mean, the likeliest first."""
    if path.endswith((".py", ".pyi")):
        for match in _PYTHON.finditer(text):
            yield from _modules(path, match)
    elif path.endswith(_SCRIPT_SUFFIXES):
        for match in _SCRIPT.finditer(text):
            yield _scripts(posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1])))


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


def _scripts(file: str) -> list[str]:
    """The files that a relative path in a script may mean; TypeScript names what it will be compiled to."""
    stem = re.sub(r"\.[mc]?jsx?$", "", file)
    stems = dict.fromkeys((file, stem, f"{file}/index"))
    return [file, *(each + suffix for each in stems for suffix in _SCRIPT_SUFFIXES)]
