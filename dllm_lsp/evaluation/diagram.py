"""The reliability diagram, as SVG: what confidence says against how often it is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from dllm_lsp.evaluation.calibration import Bin

_SIDE = 400
_MARGIN = 56
_MOST_RADIUS = 16
_STYLE = "font-family='sans-serif' font-size='13' fill='#444'"


def reliability_diagram(found: Sequence[Bin], title: str) -> str:
    """Return a drawing of the bins as dots around the diagonal, where confidence is right; the larger the more."""
    size = _SIDE + 2 * _MARGIN
    most = max(b.count for b in found)
    dots = "".join(
        f"<circle cx='{_x(b.confidence):.1f}' cy='{_y(b.exact):.1f}' r='{_radius(b.count / most):.1f}' "
        f"fill='#2f7d4f' fill-opacity='0.75'><title>{b.count} suggestions</title></circle>\n"
        for b in found
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {size} {size}' width='{size}' height='{size}'>\n"
        f"<rect width='{size}' height='{size}' fill='#fff'/>\n{_axes()}"
        f"<path d='M{_x(0)} {_y(0)} L{_x(1)} {_y(1)}' stroke='#999' stroke-dasharray='5 5'/>\n{dots}"
        f"<text x='{size / 2}' y='30' text-anchor='middle' {_STYLE}>{escape(title)}</text>\n"
        f"<text x='{size / 2}' y='{size - 12}' text-anchor='middle' {_STYLE}>confidence</text>\n"
        f"<text x='13' y='{size / 2}' text-anchor='middle' transform='rotate(-90 13 {size / 2})' {_STYLE}>"
        "exactly right</text>\n</svg>\n"
    )


def _axes() -> str:
    """Return lines and labels at every fifth of both axes."""
    lines = []
    for fifth in range(6):
        share = fifth / 5
        lines.append(
            f"<path d='M{_x(share)} {_y(0)} V{_y(1)} M{_x(0)} {_y(share)} H{_x(1)}' stroke='#e4e4e4'/>\n"
            f"<text x='{_x(share)}' y='{_y(0) + 18}' text-anchor='middle' {_STYLE}>{share:.0%}</text>\n"
            f"<text x='{_x(0) - 6}' y='{_y(share) + 4}' text-anchor='end' {_STYLE}>{share:.0%}</text>\n"
        )
    return "".join(lines)


def _x(share: float) -> float:
    return _MARGIN + _SIDE * share


def _y(share: float) -> float:
    return _MARGIN + _SIDE * (1 - share)


def _radius(share: float) -> float:
    """Areas tell the counts apart; the smallest bin is still seen."""
    return max(2.5, _MOST_RADIUS * math.sqrt(share))
