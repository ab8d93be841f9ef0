"""Fingerprints tell weights apart: a hash of a model's weights, found once and stored from then on.

Who writes a model stores its fingerprint in `config.json`. That of any other folder is kept in the user's cache folder,
for as long as its weights have the same names, sizes and times. Never loads the network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import platformdirs
from msgspec import Meta, Struct

CONFIG = "config.json"
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
"""A fingerprint, checked where it is read."""

_Stats = list[tuple[str, int, int]]


class _Stored(Struct, frozen=True):
    """What is read of a `config.json`."""

    fingerprint: Hash


class _Cached(Struct, frozen=True):
    """What is kept of a folder; of each file of weights its name, size in bytes and time in nanoseconds."""

    files: _Stats
    fingerprint: Hash


def known(folder: Path) -> str | None:
    """Return the fingerprint of a model's weights, None where it is not stored. Opens no weights."""
    with suppress(OSError, ValueError):
        return msgspec.json.decode((folder / CONFIG).read_bytes(), type=_Stored).fingerprint
    with suppress(OSError, ValueError):
        cached = msgspec.json.decode(_cache(folder).read_bytes(), type=_Cached)
        if cached.files == _stats(_weights(folder)):
            return cached.fingerprint
    return None


def fingerprint(folder: Path) -> str:
    """Return the fingerprint of a model's weights, which are read where it is not stored: that may take long.

    Raises OSError.
    """
    if (found := known(folder)) is not None:
        return found
    files = _weights(folder)
    cached = _Cached(_stats(files), hashed(files))
    with suppress(OSError):  # without a cache folder it is found anew each time
        cache = _cache(folder)
        cache.parent.mkdir(parents=True, exist_ok=True)
        written = cache.with_suffix(".new")
        written.write_bytes(msgspec.json.encode(cached))
        written.replace(cache)
    return cached.fingerprint


def fingerprint_of_weights(folder: Path) -> str:
    """Return the fingerprint of the weights as they lie there, whatever is stored; raise OSError."""
    return hashed(_weights(folder))


def hashed(files: Iterable[Path]) -> str:
    """Return a hash of the names and contents of files; raise OSError."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _weights(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix == ".safetensors" and file.is_file())


def _stats(files: Iterable[Path]) -> _Stats:
    return [(file.name, stat.st_size, stat.st_mtime_ns) for file in files for stat in [file.stat()]]


def _cache(folder: Path) -> Path:
    name = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return platformdirs.user_cache_path("dllm-lsp", appauthor=False) / "fingerprints" / f"{name}.json"
