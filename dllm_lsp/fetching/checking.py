"""Whether a file is the one that is expected, byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

from dllm_lsp.fetching.errors import FetchError
from dllm_lsp.fetching.offers import Expected

_PIECE = 1 << 20


def check(path: Path, expected: Expected) -> None:
    """Raise FetchError unless a file is what is expected, OSError if it cannot be read."""
    check_size(path, path.stat().st_size, expected)
    with path.open("rb") as file:
        _check_hash(str(path), hashlib.file_digest(file, "sha256").hexdigest(), expected)


def copy(source: IO[bytes], target: Path, expected: Expected, what: str) -> None:
    """Write what `source` holds to `target`, never more than is expected; `what` names it in messages.

    Raises FetchError if it is something else, and OSError.
    """
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        while size <= expected.size and (piece := source.read(_PIECE)):
            size += len(piece)
            digest.update(piece)
            file.write(piece)
    if size > expected.size:
        raise FetchError(f"{what} is not the file that is expected: it has more than {expected.size:,} bytes")
    check_size(what, size, expected)
    _check_hash(what, digest.hexdigest(), expected)


def check_size(what: str | Path, size: int, expected: Expected) -> None:
    """Raise FetchError for a size in bytes that is not the one that is expected."""
    if size != expected.size:
        raise FetchError(
            f"{what} is not the file that is expected: it has {size:,} bytes, and should have {expected.size:,}"
        )


def _check_hash(what: str, found: str, expected: Expected) -> None:
    if found != expected.sha256:
        raise FetchError(
            f"{what} is not the file that is expected: its SHA-256 is {found}, and should be {expected.sha256}"
        )
