"""Which documents may be completed at all. Knows names and a glance at the text, no files on disk."""

from __future__ import annotations

import re
from urllib.parse import unquote

from dllm_lsp.context.secrets import LANGUAGES, is_secret, listed
from dllm_lsp.text.snapshot import Snapshot

# Schemes under which editors show what nobody types into: revisions, diffs, logs.
_READ_ONLY_SCHEMES = frozenset({"git", "gitlens", "fugitive", "diffview", "output", "debug"})

_GLANCE_LINES = 64
_QUERY_OR_FRAGMENT = re.compile(r"[?#].*", re.DOTALL)


def refusal_of_name(path: str, patterns: tuple[str, ...] = ()) -> str | None:
    """Return why a document of this name must not be completed, in words for the user, or None if it may be.

    What a user's `patterns` say of it counts before what it looks like.
    """
    is_listed = listed(path, patterns)
    if is_listed:
        return f"{name_in(path)} is excluded by the setting suggest.exclude"
    if is_listed is None and is_secret(path):
        return f"{name_in(path)} looks like a file that holds secrets"
    return None


def refusal_of_content(snapshot: Snapshot) -> str | None:
    """Return why a document must not be completed whatever its name is, or None if it may be."""
    scheme, colon, _ = snapshot.uri.partition(":")
    if colon and scheme.casefold() in _READ_ONLY_SCHEMES:
        return f"{scheme}: documents are read-only views"
    if snapshot.language.casefold() in LANGUAGES:
        return f"{snapshot.language} is a language of files that hold secrets"
    if _is_binary(snapshot):
        return f"{name_in(path_in(snapshot.uri))} looks like a binary file (it contains NUL characters)"
    return None


def path_in(uri: str) -> str:
    """Return the path that a URI of any scheme shows, with slashes."""
    _, colon, path = uri.partition(":")
    return unquote(_QUERY_OR_FRAGMENT.sub("", path if colon else uri)).replace("\\", "/")


def name_in(path: str) -> str:
    """Return the last name of a path."""
    return path.rpartition("/")[2]


def _is_binary(snapshot: Snapshot) -> bool:
    """Look at the first lines and at those around the cursor; a whole large file would cost too much."""
    first = max(0, snapshot.line - _GLANCE_LINES)
    around = snapshot.lines[first : snapshot.line + _GLANCE_LINES]
    return any("\0" in line for line in snapshot.lines[:_GLANCE_LINES] + around)
