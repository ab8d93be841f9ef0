"""The place to fill. Knows no document and no tokens."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from dllm_lsp.infill.indentation import in_spaces
from dllm_lsp.languages.lookup import language_of

_ENDS_IN_WORD = re.compile(r"\w\Z")
_WORD = re.compile(r"\w+")


class Hole(Struct, frozen=True):
    """The code on both sides of the place to fill, bounded, each side reaching to a line boundary.

    `language` is an LSP language id; an unknown one is allowed. `snippets` are related code from elsewhere in the
    project, the best first.
    """

    before: str
    after: str
    language: str
    snippets: tuple[str, ...] = ()

    @property
    def rest_of_word(self) -> str:
        """What stands behind the cursor of a word that the cursor cuts; empty where it cuts none."""
        rest = _WORD.match(self.after)
        return rest[0] if rest and _ENDS_IN_WORD.search(self.before) else ""

    @property
    def with_whole_word(self) -> Hole:
        """The hole that takes in the rest of the word, so that what is written there has to end with it.

        A model that sees the rest of a word right of the cursor writes it once more.
        """
        return replace(self, after=self.after.removeprefix(self.rest_of_word))

    @property
    def in_spaces(self) -> Hole:
        """The hole with spaces for the tabs that lines begin with, except in a language that is written with tabs.

        Models have seen little else. What is written there is turned back, as the document has it.
        """
        if language_of(self.language).tabs:
            return self
        tail, *below = self.after.split("\n", 1)
        return replace(
            self,
            before=in_spaces(self.before),
            after="\n".join([tail, *map(in_spaces, below)]),
            snippets=tuple(map(in_spaces, self.snippets)),
        )
