"""A page that draws how long a function took: minimum, average and maximum of Duration, minute by minute.

Pure: one HTML file with one SVG, without scripts and without anything to load. Minutes in which nothing ran are a gap
in time between two points. AWS: CloudWatch User Guide, "Graphing metrics".
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

STATISTICS = (("Minimum", "#2ca02c"), ("Average", "#1f77b4"), ("Maximum", "#d62728"))
_WIDTH, _HEIGHT = 960, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 40
_LINES = 4
"""Of the grid, above zero."""

Figures = Mapping[str, float]


def page(function: str, found: Mapping[datetime, Figures]) -> str:
    """The page. `found` has what was measured in each minute, in order; minutes without a Duration are left out."""
    measured = [(at, figures) for at, figures in found.items() if "Average" in figures]
    title = escape(f"Duration of {function}, minute by minute (ms)")
    body = _chart(measured) if measured else '<text x="70" y="200">nothing has run</text>'
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>\n<h1>{title}</h1>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'font-family="sans-serif" font-size="12">\n{body}\n</svg></html>\n'
    )


def _chart(measured: Sequence[tuple[datetime, Figures]]) -> str:
    top = _rounded_up(max(figures["Maximum"] for _, figures in measured))
    first, last = measured[0][0], measured[-1][0]
    span_s = (last - first).total_seconds() or 60.0

    def x(at: datetime) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (at - first).total_seconds() / span_s

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top

    parts = [_grid_line(y(top * step / _LINES), top * step / _LINES) for step in range(_LINES + 1)]
    for place, (statistic, colour) in enumerate(STATISTICS):
        points = [(x(at), y(figures[statistic])) for at, figures in measured]
        line = " ".join(f"{left:.1f},{down:.1f}" for left, down in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{line}"/>')
        for (left, down), (at, figures) in zip(points, measured, strict=True):
            told = f"{statistic} {figures[statistic]:.2f} ms at {at:%Y-%m-%d %H:%M} UTC"
            parts.append(
                f'<circle cx="{left:.1f}" cy="{down:.1f}" r="3" fill="{colour}"><title>{told}</title></circle>'
            )
        parts.append(f'<text x="{_LEFT + 100 * place}" y="20" fill="{colour}">{statistic}</text>')
    foot = _HEIGHT - _BOTTOM + 20
    parts.append(f'<text x="{_LEFT}" y="{foot}">{first:%Y-%m-%d %H:%M} UTC</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{foot}" text-anchor="end">{last:%Y-%m-%d %H:%M} UTC</text>')
    return "\n".join(parts)


def _grid_line(down: float, value: float) -> str:
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{down:.1f}" y2="{down:.1f}" stroke="#ddd"/>'
        f'<text x="{_LEFT - 8}" y="{down + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def _rounded_up(value: float) -> float:
    """The next of 1, 2, 4 or 8 times a power of ten, which the grid divides well."""
    power = 10.0 ** len(str(int(value))) / 10 if value >= 1 else 0.001
    while True:
        for factor in (1, 2, 4, 8):
            if value <= factor * power:
                return factor * power
        power *= 10
