"""Which state the data points of an alarm mean, and how AWS says so.

Pure. Data points come from a range two longer than the alarm's evaluation periods, oldest first; None is missing.
AWS: CloudWatch User Guide, "Evaluating an alarm", "Configuring how CloudWatch alarms treat missing data".
"""

import operator
from collections.abc import Callable, Mapping, Sequence

from undercast.core.clock import moment
from undercast.core.record import record
from undercast.services.cloudwatch.alarms import ALARM, INSUFFICIENT_DATA, OK
from undercast.services.cloudwatch.bands import LOWER, UPPER

EXTRA_PERIODS = 2
_MOST_NAMED = 5
"""Data points that a reason names."""
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}

BANDS: Mapping[str, tuple[str, ...]] = {
    "LessThanLowerOrGreaterThanUpperThreshold": (LOWER, UPPER),
    "LessThanLowerThreshold": (LOWER,),
    "GreaterThanUpperThreshold": (UPPER,),
}
"""Comparisons with a band: which of its sides count."""


@record
class Condition:
    """What an alarm compares: so many of the last periods must breach."""

    comparison: str
    threshold: float
    """Without meaning where there are bounds."""
    periods: int
    to_alarm: int
    missing: str
    bounds: Mapping[int, tuple[float, float]] | None = None
    """Of an anomaly detection: begin of a period -> (lower, upper)."""

    def breaches(self, at: int, value: float) -> bool:
        """Whether a value is over the threshold, or under it; or outside its band."""
        if self.bounds is None:
            return COMPARISONS[self.comparison][0](value, self.threshold)
        sides = BANDS[self.comparison]
        lower, upper = self.bounds[at]
        return (LOWER in sides and value < lower) or (UPPER in sides and value > upper)


@record
class Verdict:
    """The state, and the data points that it was told by: (begin of the period, value), newest first."""

    state: str
    reason: str
    evaluated: tuple[tuple[int, float | None], ...]


Points = Sequence[tuple[int, float | None]]


def judge(condition: Condition, points: Points, before: str) -> Verdict | None:
    """None: the state stays as it is. `before` is that state, for the text."""
    there = [(at, value) for at, value in points if value is not None]
    if len(there) >= condition.periods:
        used: Points = there[-condition.periods :]
        return _verdict(condition, used, 0, before)
    if not there and condition.missing in ("missing", "ignore"):
        if condition.missing == "ignore":
            return None
        return _unknown(points)
    lacking = condition.periods - len(there)
    if condition.missing in ("breaching", "notBreaching"):
        return _verdict(condition, there, lacking, before)
    breaching = [at for at, value in there if condition.breaches(at, value)]
    if len(breaching) >= condition.to_alarm or len(breaching) < len(there):
        return _verdict(condition, there, 0, before)
    if condition.missing == "ignore":
        return None
    # All that is there breaches: an alarm only where the oldest has been so for long enough, and not too early.
    position = next(place for place, (_, value) in enumerate(points) if value is not None)
    if len(points) - position >= condition.to_alarm:
        return _verdict(condition, there, 0, before, at_least=1)
    return _unknown(points)


def _unknown(points: Points) -> Verdict:
    missing = [(at, value) for at, value in reversed(points) if value is None]
    count = len(missing)
    were = "datapoint was" if count == 1 else "datapoints were"
    reason = f"Insufficient Data: {count} {were} unknown."
    return Verdict(state=INSUFFICIENT_DATA, reason=reason, evaluated=tuple(reversed(points)))


def _verdict(condition: Condition, used: Points, lacking: int, before: str, at_least: int = 0) -> Verdict:
    breaching = [(at, value) for at, value in used if value is not None and condition.breaches(at, value)]
    treated = lacking if condition.missing == "breaching" else 0
    alarm = len(breaching) + treated >= (at_least or condition.to_alarm)
    state = ALARM if alarm else OK
    newest = tuple(reversed(used))
    if not used:
        reason = _nothing(condition, lacking)
    else:
        telling = [point for point in newest if (point in breaching) == alarm] or list(newest)
        reason = _crossed(condition, telling, lacking, state, before)
    return Verdict(state=state, reason=reason, evaluated=newest)


def _nothing(condition: Condition, lacking: int) -> str:
    treated = "Breaching" if condition.missing == "breaching" else "NonBreaching"
    periods = "period" if lacking == 1 else "periods"
    were = "datapoint was" if lacking == 1 else "datapoints were"
    return (
        f"Threshold Crossed: no datapoints were received for {lacking} {periods} and {lacking} missing {were} treated "
        f"as [{treated}]."
    )


def _crossed(condition: Condition, telling: Points, lacking: int, state: str, before: str) -> str:
    shown = ", ".join(f"{value!r} ({moment(at):%d/%m/%y %H:%M:%S})" for at, value in telling[:_MOST_NAMED])
    was = "was" if len(telling) == 1 else "were"
    negated = "" if state == ALARM else "not "
    least = condition.to_alarm if state == ALARM else condition.periods - condition.to_alarm + 1
    other = {ALARM: OK, OK: ALARM}[state] if before == state else before
    plural = "" if least == 1 else "s"
    treated = ""
    if lacking:
        kind = "Breaching" if condition.missing == "breaching" else "NonBreaching"
        were = "datapoint was" if lacking == 1 else "datapoints were"
        treated = f" and {lacking} missing {were} treated as [{kind}]"
    if other == INSUFFICIENT_DATA:
        other = OK if state == ALARM else ALARM  # AWS's texts name only these two
    plural_of_band = "" if condition.bounds is None else "s"
    many = f"Threshold{plural_of_band} Crossed: {len(telling)} out of the last {condition.periods} datapoints"
    crossed = f"{was} {_compared(condition, telling, negated)}{treated}"
    minimum = f"(minimum {least} datapoint{plural} for {other} -> {state} transition)."
    if len(telling) > _MOST_NAMED:
        which = "crossed" if state == ALARM else "did not cross"
        return f"{many} {crossed}. The most recent datapoints which {which} the threshold: [{shown}] {minimum}"
    return f"{many} [{shown}] {crossed} {minimum}"


def _compared(condition: Condition, telling: Points, negated: str) -> str:
    if condition.bounds is None:
        words = COMPARISONS[condition.comparison][1]
        return f"{negated}{words} the threshold ({float(condition.threshold)!r})"
    words_of = {LOWER: "less than the lower thresholds", UPPER: "greater than the upper thresholds"}
    return " or ".join(
        f"{negated}{words_of[side]} [{', '.join(map(repr, bounds_of(condition.bounds, telling, side)[:_MOST_NAMED]))}]"
        for side in BANDS[condition.comparison]
    )


def bounds_of(bounds: Mapping[int, tuple[float, float]], points: Points, side: str) -> list[float]:
    """One side of the band at these points."""
    return [bounds[at][side == UPPER] for at, _ in points]
