"""Which language it is: by what an editor calls it, or by a file's name."""

from __future__ import annotations

import posixpath

from dllm_lsp.languages.known import KNOWN, PLAIN
from dllm_lsp.languages.language import Language

_BY_ID = {id: language for language in KNOWN for dialect in language.dialects for id in dialect.ids}
_IDS_BY_SUFFIX = {
    suffix: dialect.id for language in KNOWN for dialect in language.dialects for suffix in dialect.suffixes
}


def language_of(id: str) -> Language:
    """Return the language that an LSP language id names; PLAIN for one that is not known."""
    return _BY_ID.get(id, PLAIN)


def name_of(id: str) -> str:
    """Return the name of the language that an LSP language id names; the id itself for one that is not known."""
    language = language_of(id)
    return id if language is PLAIN else language.name


def id_of(path: str) -> str:
    """Return the LSP language id that a file's name tells; PLAIN's where it tells none."""
    return _IDS_BY_SUFFIX.get(posixpath.splitext(path)[1].lower(), PLAIN.name)


def written_in(path: str) -> Language:
    """Return the language that a file's name tells; PLAIN where it tells none."""
    return language_of(id_of(path))


def is_code(path: str) -> bool:
    """Whether a file is of a language that models learn."""
    return bool(written_in(path).begin)


def is_source(path: str, language: Language) -> bool:
    """Whether a file is written in the language, and does not only declare what is written elsewhere."""
    return written_in(path) is language and not language.declares(path)
