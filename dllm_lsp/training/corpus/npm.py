"""Packages of JavaScript and TypeScript from the npm registry. Reads archives and never runs what they hold."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from dllm_lsp.languages.known import JAVASCRIPT, TYPESCRIPT
from dllm_lsp.languages.lookup import is_source, written_in
from dllm_lsp.training.corpus.licenses import RefusedError, permissive
from dllm_lsp.training.corpus.sources import DOWNLOAD_TIMEOUT, Source

_LANGUAGES = (JAVASCRIPT, TYPESCRIPT)


def pinned_tarball(pin: str, cache: Path, offline: bool) -> Source:
    """The npm package of `pin` ("name==version"), downloaded into `cache` unless it lies there already.

    Raises RefusedError when it cannot be had or its license is not permissive.
    """
    name, version = pin.split("==")
    folder = cache / pin.replace("==", "-")
    if not any(folder.glob("*.tgz")):
        if offline:
            raise RefusedError("not downloaded")
        _download(f"{name}@{version}", folder)
    archive = next(folder.glob("*.tgz"))
    try:
        license_name, files = _contents(archive)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise RefusedError(f"broken archive, remove it and try again: {archive}") from error
    return Source(name, version, license_name, hashlib.sha256(archive.read_bytes()).hexdigest(), files)


def _contents(archive: Path) -> tuple[str, dict[str, bytes]]:
    """The license of the package in `archive` and its code by path."""
    content: dict[str, bytes] = {}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:  # in the archive's own order, since going back means to decompress from the start
            # The outermost folder is "package" by custom, but may have any name.
            path = member.name.partition("/")[2]
            wanted = written_in(path) in _LANGUAGES or path == "package.json"
            if wanted and member.isfile() and (file := tar.extractfile(member)):
                content[path] = file.read()
    return _license(content), _sources(content)


def _license(content: dict[str, bytes]) -> str:
    try:
        stated = json.loads(content["package.json"])["license"]
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError("license is not clear: none stated") from error
    if isinstance(stated, dict):  # {"type": "MIT", "url": ...}, an old form
        stated = stated.get("type")
    if not isinstance(stated, str):
        raise RefusedError(f"license is not clear: {stated}")
    return permissive(stated)


def _sources(content: dict[str, bytes]) -> dict[str, bytes]:
    """The code in `content`, without JavaScript that was made from TypeScript in the same package."""
    code = {path: content[path] for path in content if written_in(path) in _LANGUAGES}
    typed = {_stem(path) for path in code if is_source(path, TYPESCRIPT)}
    return {path: code[path] for path in code if written_in(path) is TYPESCRIPT or _stem(path) not in typed}


def _stem(path: str) -> str:
    return PurePosixPath(path).name.partition(".")[0]


def _download(spec: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", spec, "--silent", "--ignore-scripts", "--pack-destination", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT)
    except FileNotFoundError as error:
        raise RefusedError("npm is not installed") from error
    except subprocess.CalledProcessError as error:
        raise RefusedError(f"no such package: {error.stderr.strip()[-200:]}") from error
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"download took longer than {DOWNLOAD_TIMEOUT} s") from error
