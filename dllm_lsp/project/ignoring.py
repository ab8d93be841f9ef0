"""What files in the format of .gitignore files exclude: our own, and git's where git itself cannot be asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from dllm_lsp.context.secrets import spec_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


OWN = ".dllmignore"
"""The name of those that exclude files for dllm-lsp alone."""


class IgnoreFiles:
    """The ignore files of a name below a root, each read once. Raises OSError where one cannot be read."""

    def __init__(self, root: Path, name: str = ".gitignore") -> None:
        self._root, self._name = root, name
        self._specs: dict[Path, GitIgnoreSpec] = {}

    def walk(self, folder: str = "") -> Iterator[str]:
        """Yield the relative paths of all files that are kept below a folder of the root that is kept itself."""
        for entry in sorted(os.scandir(self._root / folder), key=lambda entry: entry.name):
            path, is_folder = f"{folder}{entry.name}", entry.is_dir(follow_symlinks=False)
            if not self._keeps(path, is_folder):
                continue
            if is_folder:
                yield from self.walk(f"{path}/")
            else:
                yield path

    def keep(self, path: str) -> bool:
        """Whether `walk` would come upon the file, if it is one."""
        *folders, _ = PurePosixPath(path).parents
        return all(self._keeps(folder.as_posix(), True) for folder in folders) and self._keeps(path, False)

    def excluder(self, path: str) -> Path | None:
        """Return the ignore file that excludes a file, or a folder in which it lies; None where none does."""
        *folders, _ = PurePosixPath(path).parents
        for each in (*reversed(folders), PurePosixPath(path)):
            found = self._last_word(self._root / each, is_folder=each in folders)
            if found is not None and found.excludes:
                return found.file
        return None

    def _keeps(self, path: str, is_folder: bool) -> bool:
        """Whether a kept folder's file or folder is kept: no hidden folder, virtual environment or node_modules is."""
        found = self._last_word(self._root / path, is_folder)
        if found is not None and found.excludes:
            return False
        name = PurePosixPath(path).name
        is_foreign = name.startswith(".") or name == "node_modules"
        return not is_folder or not (is_foreign or (self._root / path / "pyvenv.cfg").exists())

    def _last_word(self, path: Path, is_folder: bool) -> _Word | None:
        """Return what the innermost ignore file that says anything of the path says of it."""
        for folder in path.parents:
            name = path.relative_to(folder).as_posix() + "/" * is_folder
            verdict = self._spec(folder).check_file(name).include
            if verdict is not None:
                return _Word(folder / self._name, verdict)
            if folder == self._root:
                break
        return None

    def _spec(self, folder: Path) -> GitIgnoreSpec:
        if folder not in self._specs:
            file = folder / self._name
            text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
            self._specs[folder] = spec_of(text.splitlines())
        return self._specs[folder]


class _Word(NamedTuple):
    """What an ignore file says."""

    file: Path
    excludes: bool
