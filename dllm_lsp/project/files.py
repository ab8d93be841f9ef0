"""Which files of a project are its own, and their texts. Changes nothing; knows no editor and no model.

Paths are relative to the project's root, with slashes. A root is absolute, and no link leads to it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from dllm_lsp.context.admission import refusal_of_content, refusal_of_name
from dllm_lsp.languages.lookup import id_of
from dllm_lsp.project.ignoring import OWN, IgnoreFiles
from dllm_lsp.text.snapshot import Snapshot

LARGEST_FILE = 300_000  # bytes; what is larger is data or generated
_GIT_SECONDS = 60.0


def path_of(uri: str) -> Path | None:
    """Return where a URI leads on this machine; None where it does not."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc or not parts.path:
        return None
    path = os.fsdecode(unquote_to_bytes(parts.path))
    return Path(path.removeprefix("/") if os.name == "nt" else path)  # "/c:/code" is one on Windows


def own_files(root: Path) -> Iterator[str]:
    """Yield what git would track below a folder, or, where there is no git, what its .gitignore files leave.

    What .dllmignore files exclude is left out. Raises OSError when a folder or such a file cannot be read.
    """
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    is_known = listed is not None and listed.returncode == 0
    found = _names(listed.stdout) if listed is not None and is_known else IgnoreFiles(root).walk()
    yield from filter(_included(root), found)


def own_among(root: Path, paths: Collection[str]) -> set[str]:
    """Return those of some files that `own_files` would yield, at a cost that does not depend on how many there are.

    Raises OSError when an ignore file cannot be read.
    """
    paths = set(filter(_included(root), paths))
    # "./" keeps git from taking a name such as ":x.py" for a pattern.
    ignored = _git(root, "check-ignore", "-z", "--stdin", given="\0".join(f"./{path}" for path in paths))
    if ignored is not None and ignored.returncode in (0, 1):
        return paths - {path.removeprefix("./") for path in _names(ignored.stdout)}
    rules = IgnoreFiles(root)
    return {path for path in paths if rules.keep(path)}


def is_file(root: Path, path: str) -> bool:
    """Whether this is an ordinary file below the root that no link leads to."""
    file = root / path
    return os.path.isfile(file) and os.path.realpath(file) == str(file) and file.is_relative_to(root)


def read_text(root: Path, path: str, exclude: tuple[str, ...] = ()) -> str | None:
    """Return the text of a file, with line feeds for line ends; None for any that is none or may not be read.

    `exclude` has the user's patterns.
    """
    try:
        if not is_file(root, path) or (root / path).stat().st_size > LARGEST_FILE:
            return None
        text = (root / path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return None
    return text if may_be_read(root, path, text, exclude) else None


def may_be_read(root: Path, path: str, text: str, exclude: tuple[str, ...] = ()) -> bool:
    """Whether a file of this name and text holds neither secrets nor what is no text, and no pattern excludes it."""
    lines = tuple(text.splitlines(keepends=True))
    content = refusal_of_content(Snapshot(path, None, id_of(path), lines, 0, 0))
    return content is None and refusal_of_name((root / path).as_posix(), exclude) is None


def _included(root: Path) -> Callable[[str], bool]:
    """Return whether .dllmignore files leave a file below the root; they may lie above it, too."""
    rules, above = IgnoreFiles(Path(root.anchor), OWN), root.relative_to(root.anchor)
    return lambda path: rules.excluder((above / path).as_posix()) is None


def _git(root: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[bytes] | None:
    """Run git in a folder; None where that is not possible."""
    # A file monitor is a program that a repository's own configuration may name.
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(root), *arguments]
    try:
        return subprocess.run(
            command, input=os.fsencode(given), capture_output=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None


def _names(output: bytes) -> Iterator[str]:
    return filter(None, os.fsdecode(output).split("\0"))
