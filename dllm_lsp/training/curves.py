"""Draws the curves of a run's log as SVG: held-out losses over the hours, a line for each kind and noise level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from msgspec import json

_WIDTH, _HEIGHT, _MARGIN, _LEGEND = 720, 400, 48, 170
_COLORS = (
    "#4477aa",
    "#66ccee",
    "#228833",
    "#ccbb44",
    "#ee6677",
    "#aa3377",
    "#777777",
    "#222222",
)  # Paul Tol's
_PREFIX = "heldout_"
_LINES = 5

Curve = list[tuple[float, float]]
Place = Callable[[float, float], tuple[float, float]]
"""From minutes and nats to a point of the picture."""


def draw_curves(log: Path, target: Path) -> None:
    """Draw the held-out losses in a run's log; nothing where there are fewer than two reports.

    Raises OSError, or ValueError for a file that is no log.
    """
    lines: list[dict[str, float]] = [json.decode(line) for line in log.read_bytes().splitlines()]
    names = [name for name in (lines[-1] if lines else {}) if name.startswith(_PREFIX)]
    curves = {
        name.removeprefix(_PREFIX).replace("_", " "): [
            (line["seconds"] / 60, line[name]) for line in lines if name in line
        ]
        for name in names
    }
    if len(lines) > 1:
        target.write_text(_svg(curves), encoding="utf-8")


def _svg(curves: Mapping[str, Curve]) -> str:
    points = [point for curve in curves.values() for point in curve]
    right = max(x for x, _ in points) or 1.0
    top = max(y for _, y in points) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        width, height = _WIDTH - _MARGIN - _LEGEND, _HEIGHT - 2 * _MARGIN
        return round(_MARGIN + width * x / right, 1), round(_HEIGHT - _MARGIN - height * y / top, 1)

    marks = [line for number in range(_LINES + 1) for line in _ruler(place, number / _LINES, right, top)]
    for number, (name, curve) in enumerate(curves.items()):
        color = _COLORS[number % len(_COLORS)]
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in curve))
        marks.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        marks.append(_text(_WIDTH - _LEGEND + 12, _MARGIN + 18 * number, name, fill=color))
    marks.append(_text(_MARGIN, _MARGIN - 20, "held-out loss, nats a token; minutes of training"))
    body = "\n".join(marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _ruler(place: Place, share: float, right: float, top: float) -> Sequence[str]:
    """A horizontal line with its loss, and the minute below it."""
    (x0, y), (x1, _) = place(0, top * share), place(right, top * share)
    x, bottom = place(right * share, 0)
    return (
        f'<line x1="{x0}" y1="{y}" x2="{x1}" y2="{y}" stroke="#dddddd"/>',
        _text(8, y + 4, f"{top * share:.1f}"),
        _text(x - 8, bottom + 18, f"{right * share:.0f}"),
    )


def _text(x: float, y: float, text: str, fill: str = "#444444") -> str:
    return f'<text x="{x}" y="{y}" fill="{fill}">{escape(text)}</text>'
