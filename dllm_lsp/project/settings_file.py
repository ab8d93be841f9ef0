"""What a project's own file says of the settings: a part of them only, since a cloned repository is not trusted.

A project may turn things off and choose how sure and how far suggestions are, for all languages or for one. What is
run, where, and what is looked at is the user's.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from dllm_lsp.settings import SECTION, Settings
from dllm_lsp.settings_reader import flat, merged

FILES = (f".{SECTION}.toml", "pyproject.toml")
"""Their names; the first that says anything counts. In the second it is the table `tool.dllm-lsp`."""

OPEN = ("confidence", "lines")
"""What a project may choose, of `suggest` and of each language."""

OFF = ("enabled", "automatic", "comments", "strings", "snippets", "ignored")
"""What a project may turn off, and not on."""

_LARGEST = 1_000_000  # bytes


def with_project(settings: Settings, root: Path) -> tuple[Settings, list[str]]:
    """Return the settings with what the file in a project's folder says, and what is wrong with it, for the user."""
    for name in FILES:
        file = root / name
        try:
            said = flat(_read(file))
        except (OSError, ValueError, RecursionError) as error:
            return settings, [f"{file} cannot be read: {error}"]
        if said:
            return _merged(settings, said, file)
    return settings, []


def _read(file: Path) -> dict[str, Any]:
    """Return what a file says; nothing if there is none. Raises OSError and ValueError."""
    if not file.is_file():
        return {}
    with file.open("rb") as opened:
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST} bytes")
    tree = tomllib.loads(data.decode())
    if file.name != FILES[1]:
        return tree
    tool = tree.get("tool")
    return {SECTION: tool[SECTION]} if isinstance(tool, dict) and SECTION in tool else {}


def _merged(settings: Settings, said: dict[str, object], file: Path) -> tuple[Settings, list[str]]:
    problems, allowed = [], {}
    for path, value in said.items():
        group, _, rest = path.partition(".")
        name = rest.partition(".")[2] if group == "languages" else rest
        is_choice = group in ("suggest", "languages") and name in OPEN
        is_switch = group in ("suggest", "languages") and name in OFF
        if path and not (is_choice or is_switch):
            problems.append(f'{file}: a project cannot set "{path}", only you can.')
        elif is_choice or value is not True:
            allowed[path] = value
    merged_settings, found = merged(settings, allowed)
    return merged_settings, problems + [f"{file}: {problem}" for problem in found]
