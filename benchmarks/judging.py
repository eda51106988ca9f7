"""Judges rounds of measurements by the figures' bounds; the verdict is the median over the rounds. Pure.

A miss that docs/benchmarks.md records, with its value ("- miss: NAME (recorded 1.01): why"), does not fail a run until
it is worse by half of that value. Any other miss fails it.
"""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.figures import FIGURES, Figure, Round

WORSE_BY = 0.5
"""How much worse than its recorded value, as a part of it, a recorded miss may be: two runs differ by a third."""


class Word(StrEnum):
    """A verdict."""

    KEPT = "kept"
    RECORDED = "recorded miss"
    WORSE = "WORSE THAN RECORDED"
    MISS = "MISS"
    NOT_MEASURED = "not measured"
    FLOOR_NOT_MET = "floor not met"


UNJUDGED = frozenset({Word.NOT_MEASURED, Word.FLOOR_NOT_MET})
FAILING = frozenset({Word.MISS, Word.WORSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A figure's outcome over the rounds that measured it."""

    figure: Figure
    rounds: tuple[float | None, ...]
    """None: ours was faster than the floor that no server can beat, so that the floor of that round says nothing."""
    median: float | None
    word: Word
    recorded: float | None


def judge(rounds: Sequence[Round], recorded: Mapping[str, float]) -> list[Verdict]:
    """The verdict on every figure; `recorded` are the recorded misses."""
    return [_verdict(figure, rounds, recorded.get(figure.name)) for figure in FIGURES]


def recorded_misses(page: str) -> dict[str, float]:
    """The names and values behind "- miss:" in the text of docs/benchmarks.md."""
    found = re.findall(r"^- miss: (.+?) \(recorded ([\d.]+)\):", page, re.MULTILINE)
    return {name: float(value) for name, value in found}


def _verdict(figure: Figure, rounds: Sequence[Round], recorded: float | None) -> Verdict:
    ratios = tuple(_ratio(figure, one) for one in rounds if _is_measured(figure, one))
    median = None
    if not ratios:
        word = Word.NOT_MEASURED
    elif None in ratios:
        word = Word.FLOOR_NOT_MET
    else:
        median = statistics.median(ratio for ratio in ratios if ratio is not None)
        word = _judged(figure, median, recorded)
    return Verdict(figure=figure, rounds=ratios, median=median, word=word, recorded=recorded)


def _judged(figure: Figure, median: float, recorded: float | None) -> Word:
    if median >= figure.bound if figure.at_least else median <= figure.bound:
        return Word.KEPT
    if recorded is None:
        return Word.MISS
    sign = -1 if figure.at_least else 1
    return Word.WORSE if sign * (median - recorded) > WORSE_BY * recorded else Word.RECORDED


def _is_measured(figure: Figure, one: Round) -> bool:
    names = (figure.ours, figure.over, figure.above)
    return all(name is None or name in one for name in names) and (figure.over is None or one[figure.over] > 0)


def _ratio(figure: Figure, one: Round) -> float | None:
    ours = one[figure.ours]
    if figure.over is None:
        return ours
    over, floor = one[figure.over], 0.0 if figure.above is None else one[figure.above]
    if ours < floor:
        return None
    if over <= floor:
        # The peer costs nothing that can be measured. Left out, a round that we lose would not count.
        return math.inf if ours > over else None
    return (ours - floor) / (over - floor)
