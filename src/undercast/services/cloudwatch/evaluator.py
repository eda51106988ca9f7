"""Evaluates metric alarms on the platform's clock: each minute, every ten seconds where a period is shorter.

One task looks at one alarm after the other, and writes only what changes; one that cannot be evaluated costs only
itself. An alarm is also looked at as soon as it was put. What the clock jumps over is not made up for: the state is the
one of now.
AWS: CloudWatch User Guide, "Evaluating an alarm" (a period that ends now, moving with each evaluation).
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from undercast.core.clock import PlatformClock
from undercast.core.errors import ServiceError
from undercast.core.metrics import Tally
from undercast.core.record import record
from undercast.core.recurring import recur, settled
from undercast.services.cloudwatch import alarm_store, reading
from undercast.services.cloudwatch.alarms import INSUFFICIENT_DATA, METRIC, Alarm
from undercast.services.cloudwatch.composites import Composites
from undercast.services.cloudwatch.errors import invalid
from undercast.services.cloudwatch.expressions import Evaluation, Query
from undercast.services.cloudwatch.intake import Intake
from undercast.services.cloudwatch.judging import BANDS, EXTRA_PERIODS, Condition, Points, Verdict, bounds_of, judge
from undercast.services.cloudwatch.notices import queries_of as metrics_of
from undercast.services.cloudwatch.notices import stamp
from undercast.services.cloudwatch.queries import Source, queries_of
from undercast.services.cloudwatch.reading import Window
from undercast.services.cloudwatch.statistics import is_percentile
from undercast.services.cloudwatch.transitions import Change, Transitions
from undercast.store.database import Database, Tx

log = logging.getLogger(__name__)

MINUTE_S, FINE_S = 60, 10
_MOST_TOLD = 25
"""Data points in StateReasonData, which has at most 4,000 characters."""


@record
class _Seen:
    """What an alarm's metric was in its evaluation range, oldest first."""

    points: tuple[tuple[int, float | None], ...]
    counts: Mapping[int, float]
    """Samples by period, where the metric is one and not an expression."""
    bounds: Mapping[int, tuple[float, float]] | None
    """Of an anomaly detection; see `judging.Condition`."""
    period_s: int


class Evaluator:
    """See the module."""

    def __init__(
        self,
        intake: Intake,
        database: Database,
        clock: PlatformClock,
        transitions: Transitions,
        composites: Composites,
    ) -> None:
        self._intake = intake
        self._database = database
        self._clock = clock
        self._transitions = transitions
        self._composites = composites
        self._bell = asyncio.Event()
        self._fresh: set[str] = set()
        """ARNs of alarms that were put since the last round."""
        self._task: asyncio.Task[None] | None = None
        self._last_s = 0
        self._has_fine = False
        """Whether an alarm is evaluated every ten seconds."""

    def start(self) -> None:
        """Begin with what is there: time may have passed while nothing ran."""
        self._task = asyncio.create_task(recur("the evaluation of alarms", self.round, self._pause))

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def look_at(self, alarm: Alarm) -> None:
        """It was put: do not wait for the minute's end."""
        self._fresh.add(alarm.arn)
        self._bell.set()

    async def _pause(self) -> None:
        """Until the next ten seconds begin, or the bell."""
        now = self._clock.now()
        loop = asyncio.get_running_loop()
        waits: set[asyncio.Task[Any]] = {
            loop.create_task(self._clock.wait_until(now - now % FINE_S + FINE_S)),
            loop.create_task(self._bell.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._bell.clear()

    async def round(self) -> None:
        """Evaluate what is due."""
        now_s = self._clock.now()
        fresh, self._fresh = self._fresh, set()
        minute, ten = int(now_s) // MINUTE_S, int(now_s) // FINE_S
        new_minute, new_ten = self._last_s // MINUTE_S != minute, self._last_s // FINE_S != ten
        self._last_s = int(now_s)
        await self._release(now_s)
        if not (new_minute or fresh or (new_ten and self._has_fine)):
            return
        alarms = await self._database.read(lambda tx: alarm_store.of_kind(tx, METRIC), long=True)
        self._has_fine = any(_step(alarm) == FINE_S for alarm in alarms)
        due = [alarm for alarm in alarms if alarm.arn in fresh or (new_minute if _step(alarm) == MINUTE_S else new_ten)]
        if not due:
            return
        self._intake.collect()
        journal = self._intake.journal
        await journal.read(lambda _: None)  # once behind what was appended: not one flush for each alarm
        for alarm in due:
            work = partial(journal.database.read, partial(_change, alarm=alarm, now_s=now_s), long=True)
            failed = partial(_failed, alarm=alarm, now_s=now_s)
            change = await settled(f"the evaluation of alarm {alarm.arn}", work, failed)
            if change is not None and change.value != alarm.state.value:
                await self._write(alarm, change)

    async def _release(self, now_s: float) -> None:
        """Actions of composite alarms whose time of suppression is over."""
        if not await self._database.read(alarm_store.holding_back, long=True):
            return

        def write(tx: Tx) -> None:
            for alarm in alarm_store.holding_back(tx):
                self._transitions.settle(tx, alarm, now_s)

        await self._database.write(write, long=True)

    async def _write(self, alarm: Alarm, change: Change) -> None:
        def write(tx: Tx) -> None:
            current = alarm_store.find(tx, alarm.scope, alarm.name)
            if current == alarm:  # else put, set or deleted meanwhile: the next round looks again
                self._composites.change(tx, current, change)

        await self._database.write(write, long=True)


def _step(alarm: Alarm) -> int:
    return FINE_S if min(_periods(alarm)) < MINUTE_S else MINUTE_S


def _periods(alarm: Alarm) -> list[int]:
    """Of its metrics, and of its Metrics Insights queries."""
    periods = [one.get("MetricStat", one).get("Period") for one in metrics_of(alarm)]
    return [period_s for period_s in periods if period_s is not None]


def _change(tx: Tx, alarm: Alarm, now_s: float) -> Change | None:
    """What the alarm's metric means now. Raises ServiceError where its expression cannot be computed."""
    seen = _looked_at(tx, alarm, now_s)
    verdict = _judged(alarm, seen)
    if verdict is None or verdict.state == alarm.state.value:
        return None
    return Change(value=verdict.state, reason=verdict.reason, data=_data(alarm, seen, verdict, now_s), at=now_s)


def _failed(error: Exception, alarm: Alarm, now_s: float) -> Change:
    """AWS: an alarm with an evaluation error has no data to tell by. The reason's words are ours."""
    why = "the alarm could not be evaluated."
    if isinstance(error, ServiceError):
        why = error.message
        log.warning("alarm %s cannot be evaluated: %s", alarm.arn, error)
    return Change(value=INSUFFICIENT_DATA, reason=f"Insufficient Data: {why}", data="", at=now_s)


def _looked_at(tx: Tx, alarm: Alarm, now_s: float) -> _Seen:
    period_s = max(_periods(alarm))
    step_s = _step(alarm)
    end_s = int(now_s) - int(now_s) % step_s
    count = alarm.settings["EvaluationPeriods"] + EXTRA_PERIODS
    window = Window(end_s - count * period_s, end_s, period_s)
    queries = queries_of(alarm.scope, metrics_of(alarm), "Metrics")
    values, counts, bounds = _values(tx, alarm, queries, window, now_s)
    points = tuple((at, values.get(at)) for at in window.starts())
    if bounds is not None:  # what has no band yet is as if it were missing
        points = tuple((at, value if at in bounds else None) for at, value in points)
    return _Seen(points=points, counts=counts, bounds=bounds, period_s=period_s)


def _values(
    tx: Tx, alarm: Alarm, queries: list[Query], window: Window, now_s: float
) -> tuple[Mapping[int, float], Mapping[int, float], Mapping[int, tuple[float, float]] | None]:
    """(values, samples, bounds) by period."""
    if len(queries) == 1 and (metric := queries[0].metric) is not None:
        tallies: Mapping[int, Tally] = reading.of_unit(tx, metric.series, window, now_s, metric.unit)
        values = {at: value for at, tally in tallies.items() if (value := metric.compute(tally)) is not None}
        return values, {at: tally.count for at, tally in tallies.items()}, None
    source = Source(tx, alarm.scope, (window.start_s, window.end_s), now_s, anchor_s=window.end_s)
    band = alarm.settings.get("ThresholdMetricId")
    (watched,) = [query for query in queries if query.returns and query.id != band]
    evaluation = Evaluation(queries, source.reader(), source.budget)
    lines = evaluation.result(watched)
    if len(lines) > 1:  # IF may choose otherwise with data than it did in the trial
        raise invalid(f"Error in expression '{watched.id}': an alarm watches a single time series.")
    watched_values: Mapping[int, float] = lines[0].values if lines else {}
    if band is None:
        return watched_values, {}, None
    upper, lower = next(evaluation.result(query) for query in queries if query.id == band)
    return watched_values, {}, {at: (lower.values[at], upper.values[at]) for at in upper.values}


def _judged(alarm: Alarm, seen: _Seen) -> Verdict | None:
    settings = alarm.settings
    if settings.get("EvaluateLowSampleCountPercentile") == "ignore" and _too_few(settings, seen):
        return None
    namespace = settings.get("Namespace")
    condition = Condition(
        comparison=settings["ComparisonOperator"],
        threshold=settings.get("Threshold", 0.0),
        periods=settings["EvaluationPeriods"],
        to_alarm=settings.get("DatapointsToAlarm", settings["EvaluationPeriods"]),
        missing="ignore" if namespace == "AWS/DynamoDB" else settings.get("TreatMissingData", "missing"),
        bounds=seen.bounds,
    )
    return judge(condition, seen.points, alarm.state.value)


def _too_few(settings: Mapping[str, Any], seen: _Seen) -> bool:
    """AWS: User Guide, "Percentile-based alarms and low data samples"."""
    name = settings.get("ExtendedStatistic", "")
    if not is_percentile(name):
        return False
    share = float(name[1:]) / 100
    rare = 1 - share if share >= 0.5 else share
    return rare <= 0 or sum(seen.counts.values()) < 10 / rare


def _data(alarm: Alarm, seen: _Seen, verdict: Verdict, now_s: float) -> str:
    there = [(at, value) for at, value in verdict.evaluated if value is not None]
    statistic = alarm.settings.get("Statistic") or alarm.settings.get("ExtendedStatistic")
    data: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now_s)}
    if there:
        data["startDate"] = stamp(there[-1][0])
    if statistic:
        data["statistic"] = statistic
    recent = tuple(reversed(there[:_MOST_TOLD]))
    data |= {
        "period": seen.period_s,
        "recentDatapoints": [value for _, value in recent],
        **_thresholds(alarm.settings, seen, recent),
        "evaluatedDatapoints": [_evaluated(at, value, seen.counts) for at, value in verdict.evaluated[:_MOST_TOLD]],
    }
    return json.dumps(data, separators=(",", ":"))


def _thresholds(settings: Mapping[str, Any], seen: _Seen, recent: Points) -> dict[str, Any]:
    """As the samples of "Alarm events and EventBridge" have them."""
    if seen.bounds is None:
        return {"threshold": float(settings["Threshold"])}
    return {
        f"recent{side.capitalize()}Thresholds": bounds_of(seen.bounds, recent, side)
        for side in BANDS[settings["ComparisonOperator"]]
    }


def _evaluated(at: int, value: float | None, counts: Mapping[int, float]) -> dict[str, Any]:
    count = {"sampleCount": counts[at]} if at in counts else {}
    return {"timestamp": stamp(at), **count, **({} if value is None else {"value": value})}
