"""The place to fill. Knows no document and no tokens."""

from __future__ import annotations

from msgspec import Struct


class Hole(Struct, frozen=True):
    """The code on both sides of the place to fill, bounded, each side reaching to a line boundary.

    `language` is an LSP language id; an unknown one is allowed. `snippets` are related code from elsewhere in the
    project, the best first.
    """

    before: str
    after: str
    language: str
    snippets: tuple[str, ...] = ()
