"""What the .gitignore files of a folder leave of it, for where git itself cannot be asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class IgnoreFiles:
    """The .gitignore files below a root, each read once. Raises OSError where one cannot be read."""

    def __init__(self, root: Path) -> None:
        self._root = root
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

    def _keeps(self, path: str, is_folder: bool) -> bool:
        """Whether a kept folder's file or folder is kept: no hidden folder, virtual environment or node_modules is."""
        if self._is_ignored(self._root / path, is_folder):
            return False
        name = PurePosixPath(path).name
        is_foreign = name.startswith(".") or name == "node_modules"
        return not is_folder or not (is_foreign or (self._root / path / "pyvenv.cfg").exists())

    def _is_ignored(self, path: Path, is_folder: bool) -> bool:
        """Whether the innermost .gitignore that says anything of the path excludes it."""
        for folder in path.parents:
            name = path.relative_to(folder).as_posix() + "/" * is_folder
            verdict = self._spec(folder).check_file(name).include
            if verdict is not None:
                return verdict
            if folder == self._root:
                break
        return False

    def _spec(self, folder: Path) -> GitIgnoreSpec:
        if folder not in self._specs:
            from pathspec import GitIgnoreSpec  # noqa: PLC0415

            file = folder / ".gitignore"
            text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
            self._specs[folder] = GitIgnoreSpec.from_lines(text.splitlines())
        return self._specs[folder]
