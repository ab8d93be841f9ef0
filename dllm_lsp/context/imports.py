"""Which files of a project a file imports. Knows no package and no disk."""

from __future__ import annotations

from collections.abc import Container

from dllm_lsp.languages.lookup import written_in


def imported(path: str, text: str, paths: Container[str]) -> list[str]:
    """Return which of `paths` the file `path`, whose text or beginning is `text`, imports, in order.

    Paths are relative to one root, with slashes.
    """
    imports = written_in(path).imports
    if imports is None:
        return []
    found: dict[str, None] = {}
    for candidates in imports(path, text):
        match = next((each for each in candidates if each in paths), None)
        if match is not None and match != path:
            found[match] = None
    return list(found)
