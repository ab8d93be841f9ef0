"""What an editor has open. Knows no protocol."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple


class Opened(NamedTuple):
    """Folders, and the lines of documents, both by URI; and the user's patterns of what to `exclude`."""

    folders: Collection[str]
    documents: Mapping[str, Sequence[str]]
    exclude: tuple[str, ...] = ()
