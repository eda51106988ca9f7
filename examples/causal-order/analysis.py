"""What the differences say: how many are negative, how they are distributed, and whether that is a normal distribution.

Reads nanoseconds, one a line, from the last column of a CSV file. The test is D'Agostino and Pearson's K^2 ("Tests for
departure from normality", 1973), with the transformations of D'Agostino (skewness) and Anscombe and Glynn (kurtosis).
"""

import argparse
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

BARS = 24
LEAST = 20
"""Below this the transformations do not hold."""


def read(path: Path) -> list[float]:
    """Milliseconds."""
    found = []
    for line in path.read_text().splitlines():
        last = line.rpartition(",")[2].strip().strip('"')
        try:
            found.append(int(last) / 1e6)
        except ValueError:
            continue  # the head
    return found


def normality(values: Sequence[float]) -> tuple[float, float] | None:
    """K^2 and the probability of so large a one for a normal distribution; None for too few or all equal values."""
    n, mean = len(values), statistics.fmean(values)
    m2 = statistics.fmean((x - mean) ** 2 for x in values)
    if n < LEAST or m2 == 0:
        return None
    skewness = statistics.fmean((x - mean) ** 3 for x in values) / m2**1.5
    kurtosis = statistics.fmean((x - mean) ** 4 for x in values) / m2**2
    k2 = _z_of_skewness(skewness, n) ** 2 + _z_of_kurtosis(kurtosis, n) ** 2
    return k2, math.exp(-k2 / 2)


def _z_of_skewness(skewness: float, n: int) -> float:
    y = skewness * math.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    beta2 = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w2 = math.sqrt(2 * (beta2 - 1)) - 1
    delta, alpha = 1 / math.sqrt(0.5 * math.log(w2)), math.sqrt(2 / (w2 - 1))
    return delta * math.asinh(y / alpha)


def _z_of_kurtosis(kurtosis: float, n: int) -> float:
    expected = 3 * (n - 1) / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis - expected) / math.sqrt(variance)
    root = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * math.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / root * (2 / root + math.sqrt(1 + 4 / root**2))
    inner = (1 - 2 / a) / (1 + x * math.sqrt(2 / (a - 4)))
    return ((1 - 2 / (9 * a)) - math.copysign(abs(inner) ** (1 / 3), inner)) / math.sqrt(2 / (9 * a))


def histogram(values: Sequence[float]) -> list[tuple[float, float, int]]:
    """(from, to, count), equally wide, between the 0.5th and the 99.5th percentile; what is outside is in the ends."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 200], ordered[-1 - len(ordered) // 200]
    width = (high - low) / BARS or 1.0
    counts = [0] * BARS
    for value in values:
        counts[min(BARS - 1, max(0, int((value - low) / width)))] += 1
    return [(low + place * width, low + (place + 1) * width, count) for place, count in enumerate(counts)]


def report(values: Sequence[float]) -> str:
    """All of it as text."""
    negative = sum(value < 0 for value in values)
    lines = [
        f"differences  {len(values)}",
        f"negative     {negative} = {negative / len(values):.2%}",
        f"ms           min {min(values):.3f}  median {statistics.median(values):.3f}  max {max(values):.3f}"
        f"  mean {statistics.fmean(values):.3f}  sd {statistics.pstdev(values):.3f}",
    ]
    tested = normality(values)
    if tested is None:
        lines.append(f"normality    not tested: it takes {LEAST} values that differ")
    else:
        said = "not a normal distribution" if tested[1] < 0.05 else "may be a normal distribution"
        lines.append(f"normality    K2 = {tested[0]:.1f}, p = {tested[1]:.3g}: {said}")
    most = max(count for _, _, count in histogram(values))
    for start, end, count in histogram(values):
        lines.append(f"{start:10.3f} to {end:10.3f} ms  {count:6d}  {'#' * round(50 * count / most)}".rstrip())
    return "\n".join(lines)


def svg(values: Sequence[float]) -> str:
    """The distribution as a picture; negative differences are red."""
    width, height, left, bottom = 720, 360, 50, 40
    bars = histogram(values)
    most = max(count for _, _, count in bars)
    wide = (width - left - 10) / len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for place, (start, end, count) in enumerate(bars):
        tall = (height - bottom - 20) * count / most
        colour = "#c0392b" if end <= 0 else "#2c6fbb"
        parts.append(
            f'<rect x="{left + place * wide:.1f}" y="{height - bottom - tall:.1f}" width="{wide - 1:.1f}"'
            f' height="{tall:.1f}" fill="{colour}"><title>{start:.3f} to {end:.3f} ms: {count}</title></rect>'
        )
        if place % 4 == 0:
            parts.append(f'<text x="{left + place * wide:.1f}" y="{height - bottom + 15}">{start:.1f}</text>')
    parts.append(f'<text x="5" y="15">{most}</text><text x="{width // 2}" y="{height - 8}">difference, ms</text></svg>')
    return "\n".join(parts)


def main() -> None:
    """Print the report of a file; draw it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--svg", type=Path, help="draw the distribution into this file")
    asked = parser.parse_args()
    values = read(asked.csv)
    if not values:
        raise SystemExit(f"{asked.csv} holds no numbers")
    print(report(values))
    if asked.svg:
        asked.svg.write_text(svg(values))


if __name__ == "__main__":
    main()
