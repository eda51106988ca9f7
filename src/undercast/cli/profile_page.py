"""A page that draws a profile: round trip and Duration of every invocation, in their order, and a table of them.

Pure: one HTML file with one SVG, without scripts and without anything to load. AWS: none.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from undercast.cli.metrics_page import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, grid, rounded_up

COLOURS = ("#1f77b4", "#2ca02c", "#bbbbbb")


def page(function: str, series: Mapping[str, Sequence[float]], summary: Mapping[str, Any]) -> str:
    """The page. `series` has a value for each invocation, under each name the same number of them."""
    count = len(next(iter(series.values()), ()))
    title = escape(f"Profile of {function}: {count} invocations (ms)")
    body = _chart(series, count) if count else f'<text x="{LEFT}" y="200">nothing was reported</text>'
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>\n<h1>{title}</h1>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'font-family="sans-serif" font-size="12">\n{body}\n</svg>\n{_table(summary)}\n</html>\n'
    )


def _chart(series: Mapping[str, Sequence[float]], count: int) -> str:
    top = rounded_up(max(max(values) for values in series.values()))
    parts = [grid(top)]
    for place, (name, values) in enumerate(series.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = [
            (LEFT + (WIDTH - LEFT - RIGHT) * number / max(count - 1, 1), HEIGHT - BOTTOM - _up(value, top))
            for number, value in enumerate(values)
        ]
        line = " ".join(f"{left:.1f},{down:.1f}" for left, down in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{line}"/>')
        for number, ((left, down), value) in enumerate(zip(points, values, strict=True), 1):
            told = escape(f"{name} {value:.2f} ms, invocation {number}")
            parts.append(
                f'<circle cx="{left:.1f}" cy="{down:.1f}" r="2" fill="{colour}"><title>{told}</title></circle>'
            )
        parts.append(f'<text x="{LEFT + 100 * place}" y="20" fill="{colour}">{escape(name)}</text>')
    return "\n".join(parts)


def _up(value: float, top: float) -> float:
    return (HEIGHT - TOP - BOTTOM) * max(value, 0.0) / top


def _table(summary: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><th>{escape(name)}</th>" + "".join(f"<td>{value:.2f}</td>" for value in one.values()) + "</tr>"
        for name, one in summary["ms"].items()
    ]
    heads: Mapping[str, float] = next(iter(summary["ms"].values()), {})
    head = "<tr><th>ms</th>" + "".join(f"<th>{escape(name)}</th>" for name in heads) + "</tr>"
    inits = ", ".join(f"{one:.2f}" for one in summary["init_duration_ms"]) or "none"
    return (
        f'<table border="1" cellpadding="4">{head}{"".join(rows)}</table>\n'
        f"<p>{summary['per_second']:.1f} a second; {summary['failed']} failed; "
        f"Max Memory Used {summary['max_memory_used_mb']} MB; Init Duration {inits} ms</p>"
    )
