"""The files around a document: which they are, and what they hold. Knows no LSP and no model."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dllm_lsp.context.imports import imported
from dllm_lsp.context.passages import Passages
from dllm_lsp.context.snippets import neighbors
from dllm_lsp.infill.hole import Hole
from dllm_lsp.languages.lookup import is_code
from dllm_lsp.project.files import (
    LARGEST_FILE,
    is_file,
    may_be_read,
    own_among,
    path_of,
    read_text,
)
from dllm_lsp.project.opened import Opened
from dllm_lsp.text.snapshot import Snapshot

_LARGEST_FOLDER = 2_000  # entries that are looked at
_LARGEST_NEIGHBORHOOD = 400_000  # characters


class Neighborhood(NamedTuple):
    """A document's path in its project, and the files around it; no project where nothing may be looked at."""

    path: str
    passages: Passages | None


def look_around(snapshot: Snapshot, hole: Hole, count: int, opened: Opened) -> Neighborhood:
    """Read the document's neighbors, and rank their snippets once, since the first time takes the longest."""
    try:
        root, path = _place(snapshot.uri, opened.folders)
        files = dict(_read(root, path, _joined(snapshot.lines), opened))
    except (OSError, ValueError):
        return Neighborhood("", None)
    passages = Passages(files)
    passages.related(path, snapshot, hole, count)
    return Neighborhood(path, passages)


def _place(uri: str, folders: Collection[str]) -> tuple[Path, str]:
    """Return the root of the document's project and its path below it; raise ValueError if it has none."""
    [path] = _resolved([uri])
    roots = _resolved(folders) or [path.parent]
    root = next((root for root in roots if path.is_relative_to(root)), None)
    if root is None:
        raise ValueError(f"{path} lies in no folder that is open")
    return root, path.relative_to(root).as_posix()


def _resolved(uris: Iterable[str]) -> list[Path]:
    """Where they lead on this machine, if they do, behind all links."""
    return [Path(os.path.realpath(path)) for path in map(path_of, uris) if path is not None]


def _read(root: Path, path: str, text: str, opened: Opened) -> Iterator[tuple[str, str]]:
    """Yield the document and its neighbors by path, the likeliest first, as they are in the editor or else on disk."""
    yield path, text
    lines = {str(file): text for uri, text in opened.documents.items() for file in _resolved([uri])}
    left = _LARGEST_NEIGHBORHOOD - len(text)
    for each in _neighbors(root, path, text):
        here = lines.get(str(root / each))
        found = read_text(root, each, opened.exclude) if here is None else _joined(here)
        if (
            found is not None
            and len(found) <= min(left, LARGEST_FILE)
            and may_be_read(root, each, found, opened.exclude)
        ):
            left -= len(found)
            yield each, found


def _neighbors(root: Path, path: str, text: str) -> list[str]:
    """Return the project's own files that are the document's neighbors, those that it imports first."""
    imports = imported(path, text, _Files(root))
    own = own_among(root, {*imports, *_siblings(root, path)})
    return sorted(neighbors(path, text, own) - {path}, key=lambda each: (each not in imports, each))


def _siblings(root: Path, path: str) -> Iterator[str]:
    folder = PurePosixPath(path).parent
    with os.scandir(root / folder) as entries:
        for entry in islice(entries, _LARGEST_FOLDER):
            if is_code(entry.name) and entry.is_file(follow_symlinks=False):
                yield (folder / entry.name).as_posix()


class _Files:
    """The files below a root; asks the disk, so that nobody needs to list a large project."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and is_file(self._root, path)


def _joined(lines: Iterable[str]) -> str:
    """Return the text with line feeds for line ends, as files are read."""
    return "".join(lines).replace("\r\n", "\n").replace("\r", "\n")
