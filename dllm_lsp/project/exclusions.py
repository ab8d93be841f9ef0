"""Which documents are left alone for what their files are, looked at in the background. Knows no LSP and no model.

What is looked at: their names and the user's patterns, what they link to, .dllmignore files, and, where it is asked
for, git.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from dllm_lsp.context.admission import name_in, path_in, refusal_of_name
from dllm_lsp.project.files import own_among, path_of
from dllm_lsp.project.ignoring import OWN, IgnoreFiles
from dllm_lsp.project.opened import Opened

FRESH_SECONDS = 30.0

Reason = str | None
"""Why a document is left alone, in words for the user; None if it is not."""


class Exclusions:
    """Looks at each document once, and again where the last look was some time ago. All methods belong to one thread.

    `opened` says what the editor has open, and `run` does the looking. With `ignored`, what git ignores is taken, too.
    """

    def __init__(
        self,
        opened: Callable[[], Opened],
        run: Callable[[Callable[[], Reason]], Future[Reason]],
        *,
        ignored: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opened, self._run, self._clock = opened, run, clock
        self._ignored = ignored
        self._looks: dict[str, tuple[float, Future[Reason]]] = {}

    def look(self, uri: str) -> Future[Reason]:
        """Return what is known of a document, or is about to be."""
        begun, look = self._looks.get(uri, (0.0, None))
        if look is None or self._clock() - begun > FRESH_SECONDS:
            look = self._run(partial(exclusion, uri, self._opened(), ignored=self._ignored))
            self._looks[uri] = self._clock(), look
        return look

    def outdate(self) -> None:
        """Look at every document anew when it is used next, since files have changed."""
        self._looks.clear()

    def forget(self, uri: str) -> None:
        """Give up what is known of a document."""
        self._looks.pop(uri, None)


def exclusion(uri: str, opened: Opened, *, ignored: bool) -> Reason:
    """Return why a document is left alone for what its file is, or None if it is not."""
    path = path_in(uri)
    if reason := refusal_of_name(path, opened.exclude):
        return reason
    file = path_of(uri)
    try:
        return None if file is None else _exclusion_of_file(file, opened, ignored)
    except (OSError, ValueError) as error:  # a name that no file can have, a file that cannot be read
        return f"{name_in(path)} cannot be looked at: {error}" if isinstance(error, PermissionError) else None


def _exclusion_of_file(file: Path, opened: Opened, ignored: bool) -> Reason:
    real = Path(os.path.realpath(file))
    if real != file and (reason := refusal_of_name(real.as_posix(), opened.exclude)):
        return f"{file.name} is a link, and {reason}"
    for each in {file: None, real: None}:
        rules = IgnoreFiles(Path(each.anchor), OWN)
        if by := rules.excluder(each.relative_to(each.anchor).as_posix()):
            return f"{file.name} is excluded by {by}"
    if not ignored and not _is_own(real, opened.folders):
        return f"{file.name} is ignored by git, and suggest.ignored is off"
    return None


def _is_own(file: Path, folders: Collection[str]) -> bool:
    """Whether git would track a file."""
    roots = [Path(os.path.realpath(path)) for path in map(path_of, folders) if path is not None]
    root = next((root for root in roots if file.is_relative_to(root)), file.parent)
    path = file.relative_to(root).as_posix()
    return path in own_among(root, [path])
