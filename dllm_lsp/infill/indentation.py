"""Tabs and spaces at the beginning of lines. Knows no document."""

from __future__ import annotations

import re

TAB = 4
"""How many spaces a tab is as wide as, where lines with both are compared and where one stands for the other."""

_TABBED = re.compile(r"^[ \t]*\t[ \t]*", re.MULTILINE)


def in_spaces(text: str) -> str:
    """Return `text` with the tabs that its lines begin with as spaces."""
    return _TABBED.sub(lambda match: match[0].replace("\t", " " * TAB), text)
