"""Where an engine is found: a socket, a lock and a process id in a folder that only the user can open.

Knows nothing of what is said over the socket.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from dllm_lsp.wire.errors import PlaceError

APP = "dllm-lsp"
MAX_SOCKET_BYTES = 103  # macOS has room for 104 with the closing zero, Linux for 108


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one engine; `name` is its identity."""

    folder: Path
    name: str

    @property
    def socket(self) -> Path:
        """The socket; on Windows a file with a port and a token."""
        return self.folder / f"{self.name}.sock"

    @property
    def lock(self) -> Path:
        """Held by the client that starts or ends the engine."""
        return self.folder / f"{self.name}.lock"

    @property
    def pid(self) -> Path:
        """The engine's process id, written by the client that started it."""
        return self.folder / f"{self.name}.pid"


def find_place(name: str) -> Place:
    """Return the place of the engine `name`, making its folder.

    Raises PlaceError when no candidate folder is private and short enough.
    """
    refusals = []
    for folder in _candidates():
        place = Place(folder, name)
        refusal = _refusal(place)
        if refusal is None:
            return place
        refusals.append(f"{folder} ({refusal})")
    raise PlaceError(
        "No private folder for the engine's socket: " + ", ".join(refusals) + ". "
        "Set XDG_RUNTIME_DIR to a short path of a folder that only you can open."
    )


def _candidates() -> Iterator[Path]:
    """Yield the folders to try; the temporary one comes before the home, which machines may share."""
    if sys.platform == "win32":
        yield platformdirs.user_runtime_path(APP, appauthor=False)
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isabs(runtime):
        yield Path(runtime) / APP
    yield Path(tempfile.gettempdir()) / f"{APP}-{os.getuid()}"
    yield platformdirs.user_cache_path(APP) / "run"


def _refusal(place: Place) -> str | None:
    """Make the folder of `place` and return why it will not do, or None."""
    if len(os.fsencode(place.socket)) > MAX_SOCKET_BYTES:
        return "the path is too long"
    try:
        place.folder.parent.mkdir(parents=True, exist_ok=True)
        place.folder.mkdir(mode=0o700, exist_ok=True)
        private = _is_private(place.folder)
    except OSError as error:
        return error.strerror or str(error)
    return None if private else "others can open or replace it"


def _is_private(folder: Path) -> bool:
    """Whether only this user can open the folder and nobody else can put another in its place."""
    if sys.platform == "win32":
        return True  # below the user's profile, whose access list is inherited
    own, above = folder.lstat(), folder.parent.stat()
    is_ours = stat.S_ISDIR(own.st_mode) and own.st_uid == os.getuid() and not own.st_mode & 0o077
    is_shared = bool(above.st_mode & 0o022) and not above.st_mode & stat.S_ISVTX
    return is_ours and above.st_uid in (0, os.getuid()) and not is_shared
