"""Text in which a model got stuck. Knows nothing but the text."""

from __future__ import annotations

_TIMES = 4
_UNIT_SIZES = range(3, 65)


def is_stuck(text: str) -> bool:
    """Return whether `text` ends with four copies of a unit that holds a letter ("0, 0, 0, 0" is data)."""
    return any(
        text.endswith(unit * _TIMES)
        for unit in (text[-size:] for size in _UNIT_SIZES if size * _TIMES <= len(text))
        if any(map(str.isalpha, unit))
    )
