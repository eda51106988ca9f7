"""A page that draws how long a function took: minimum, average and maximum of Duration, minute by minute.

Pure: one HTML file with one SVG, without scripts and without anything to load. Minutes in which nothing ran are a gap
in time between two points. AWS: CloudWatch User Guide, "Graphing metrics".
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

STATISTICS = (("Minimum", "#2ca02c"), ("Average", "#1f77b4"), ("Maximum", "#d62728"))
WIDTH, HEIGHT = 960, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 40
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
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'font-family="sans-serif" font-size="12">\n{body}\n</svg></html>\n'
    )


def _chart(measured: Sequence[tuple[datetime, Figures]]) -> str:
    top = rounded_up(max(figures["Maximum"] for _, figures in measured))
    first, last = measured[0][0], measured[-1][0]
    span_s = (last - first).total_seconds() or 60.0

    def x(at: datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - first).total_seconds() / span_s

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top

    parts = [grid(top)]
    for place, (statistic, colour) in enumerate(STATISTICS):
        points = [(x(at), y(figures[statistic])) for at, figures in measured]
        line = " ".join(f"{left:.1f},{down:.1f}" for left, down in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{line}"/>')
        for (left, down), (at, figures) in zip(points, measured, strict=True):
            told = f"{statistic} {figures[statistic]:.2f} ms at {at:%Y-%m-%d %H:%M} UTC"
            parts.append(
                f'<circle cx="{left:.1f}" cy="{down:.1f}" r="3" fill="{colour}"><title>{told}</title></circle>'
            )
        parts.append(f'<text x="{LEFT + 100 * place}" y="20" fill="{colour}">{statistic}</text>')
    foot = HEIGHT - BOTTOM + 20
    parts.append(f'<text x="{LEFT}" y="{foot}">{first:%Y-%m-%d %H:%M} UTC</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{foot}" text-anchor="end">{last:%Y-%m-%d %H:%M} UTC</text>')
    return "\n".join(parts)


def grid(top: float) -> str:
    """Lines from zero to the top, with their values."""
    steps = [top * step / _LINES for step in range(_LINES + 1)]
    return "\n".join(_grid_line(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, value) for value in steps)


def _grid_line(down: float, value: float) -> str:
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down:.1f}" y2="{down:.1f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 8}" y="{down + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def rounded_up(value: float) -> float:
    """The next of 1, 2, 4 or 8 times a power of ten, which the grid divides well."""
    power = 10.0 ** len(str(int(value))) / 10 if value >= 1 else 0.001
    while True:
        for factor in (1, 2, 4, 8):
            if value <= factor * power:
                return factor * power
        power *= 10
