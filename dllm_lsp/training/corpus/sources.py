"""Where Python files come from: the standard library, pinned wheels, and what is installed on the machine.

Reads archives and folders and never runs what they hold. Does not judge single files.
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path

from dllm_lsp.languages.known import PYTHON
from dllm_lsp.languages.lookup import is_source
from dllm_lsp.training.corpus.licenses import RefusedError, license_of

DOWNLOAD_TIMEOUT = 300  # seconds for one package
# Wheels are chosen for one platform, whatever the running one is, so that everybody gets the same.
_PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_24", "manylinux2014")
_TARGET = [
    "--implementation=cp",
    "--python-version=3.11",
    *(f"--platform={platform}_x86_64" for platform in _PLATFORMS),
]
_NOT_LIBRARY = frozenset({"site-packages", "dist-packages", "__pycache__", "pydoc_data", "lib-dynload"})
_TESTS = frozenset({"test", "tests", "idle_test"})


@dataclass(frozen=True, slots=True)
class Source:
    """One package: its files by path, and the hash (SHA-256, hexadecimal) of its archive or of its files."""

    name: str
    version: str
    license: str
    sha256: str
    files: dict[str, bytes]


def canonical(name: str) -> str:
    """A distribution's name as the registry compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def standard_library() -> Iterator[Source]:
    """The running interpreter's library, and then its tests as a source of their own."""
    root = Path(sysconfig.get_path("stdlib"))
    library: dict[str, bytes] = {}
    tests: dict[str, bytes] = {}
    for file in sorted(file for file in root.rglob("*") if is_source(file.name, PYTHON)):
        path = file.relative_to(root)
        if not _NOT_LIBRARY.isdisjoint(path.parts):
            continue
        (library if _TESTS.isdisjoint(path.parts) else tests)[path.as_posix()] = file.read_bytes()
    version = platform.python_version()
    yield Source("python", version, "PSF-2.0", _hash_of(library), library)
    yield Source("python-tests", version, "PSF-2.0", _hash_of(tests), tests)


def pinned_wheel(pin: str, cache: Path, offline: bool) -> Source:
    """The wheel of `pin` ("name==version"), downloaded into `cache` unless it lies there already.

    Raises RefusedError when there is no such wheel or its license is not permissive.
    """
    folder = cache / pin.replace("==", "-")
    if not any(folder.glob("*.whl")):
        if offline:
            raise RefusedError("not downloaded")
        _download(pin, folder)
    archive = next(folder.glob("*.whl"))
    try:
        license_name, files = _contents(archive)
    except zipfile.BadZipFile as error:
        raise RefusedError(f"broken wheel, remove it and try again: {archive}") from error
    name, version = pin.split("==")
    return Source(name, version, license_name, hashlib.sha256(archive.read_bytes()).hexdigest(), files)


def _contents(archive: Path) -> tuple[str, dict[str, bytes]]:
    """The license of the wheel `archive` and its Python files by path."""
    with zipfile.ZipFile(archive) as wheel:
        names = sorted(wheel.namelist())
        # Only the outermost: copies of other packages may bring their own metadata.
        metadata = [name for name in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        if not metadata:
            raise RefusedError("no metadata")
        folder = zipfile.Path(wheel, metadata[0].removesuffix("METADATA"))
        license_name = license_of(PathDistribution(folder).metadata)
        return license_name, {name: wheel.read(name) for name in names if is_source(name, PYTHON)}


def installed() -> list[Distribution]:
    """Every distribution that this interpreter can import, by name."""
    found = {canonical(each.name): each for each in distributions()}
    return [found[name] for name in sorted(found)]


def installed_source(distribution: Distribution) -> Source:
    """An installed distribution's Python files. Raises RefusedError when its license is not permissive."""
    license_name = license_of(distribution.metadata)
    files: dict[str, bytes] = {}
    for entry in sorted(distribution.files or []):
        located = Path(str(entry.locate()))
        if is_source(entry.name, PYTHON) and ".." not in entry.parts and located.is_file():
            files[entry.as_posix()] = located.read_bytes()
    return Source(distribution.name, distribution.version, license_name, _hash_of(files), files)


def _download(pin: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += [*_TARGET, "--dest", str(folder), pin]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().split("\n")[-1]
        raise RefusedError(f"no such wheel: {reason}") from error
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"download took longer than {DOWNLOAD_TIMEOUT} s") from error


def _hash_of(files: dict[str, bytes]) -> str:
    """The hash of the sorted hashes of `files`, each with its path."""
    lines = sorted(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()
