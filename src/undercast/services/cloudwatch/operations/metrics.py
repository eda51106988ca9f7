"""Put metric data, get statistics of one metric, list metrics.

AWS: CloudWatch API Reference, PutMetricData, GetMetricStatistics, ListMetrics.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.metrics import MINUTE_S, Series, Tally
from undercast.core.page_tokens import number_of, token_of
from undercast.core.service import Params, operation
from undercast.services.cloudwatch import points, reading
from undercast.services.cloudwatch.errors import invalid_combination, invalid_value, missing
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.services.cloudwatch.queries import LISTED_S, dimensions_of
from undercast.services.cloudwatch.reading import Window
from undercast.services.cloudwatch.statistics import SIMPLE, Statistic, statistic
from undercast.store.database import Tx

MAX_DATA = 1000
MAX_VALUES = 150
MAX_DATAPOINTS = 1440
MAX_LISTED = 500
OLDEST_S = 14 * 86_400
NEWEST_S = 2 * 3600
RECENT_S = 3 * 3600
_LARGEST = 2.0**360


@operation("PutMetricData")
async def put_metric_data(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> None:
    """All of the data, or, when one is wrong, nothing."""
    namespace = params["Namespace"]
    if namespace.startswith("AWS/"):
        raise invalid_value(f"The value {namespace} for parameter Namespace is invalid.")
    data = params.get("MetricData") or ()
    if not data:
        raise missing("The parameter MetricData is required.")
    if len(data) > MAX_DATA:
        raise invalid_value(f"The collection MetricData must not have a size greater than {MAX_DATA}.")
    now_s = cloudwatch.clock.now()
    taken = [
        _taken(ctx, namespace, datum, f"MetricData.member.{number}", now_s) for number, datum in enumerate(data, 1)
    ]
    for one in taken:
        cloudwatch.intake.add(*one)
    await cloudwatch.journal.flush()


def _taken(
    ctx: RequestContext, namespace: str, datum: Mapping[str, Any], where: str, now_s: float
) -> tuple[Series, str, int, int, Tally]:
    resolution_s = datum.get("StorageResolution", MINUTE_S)
    if resolution_s not in (1, MINUTE_S):
        raise invalid_value(f"The value {resolution_s} for parameter {where}.StorageResolution is invalid.")
    dimensions = dimensions_of(datum.get("Dimensions"))
    if len({name for name, _ in dimensions}) < len(dimensions):
        raise invalid_value(f"The parameter {where}.Dimensions has a dimension name twice.")
    at_s = _at(datum.get("Timestamp"), where, now_s)
    series = Series.of(ctx.scope, namespace, datum["MetricName"], dimensions)
    return series, datum.get("Unit", "None"), at_s - at_s % resolution_s, resolution_s, _tally(datum, where)


def _at(given: datetime | None, where: str, now_s: float) -> int:
    if given is None:
        return int(now_s)
    at_s = given.timestamp()
    if at_s < now_s - OLDEST_S:
        raise invalid_value(f"The parameter {where}.Timestamp must specify a time within the past two weeks.")
    if at_s > now_s + NEWEST_S:
        raise invalid_value(
            f"The parameter {where}.Timestamp must specify a time no more than two hours in the future."
        )
    return int(at_s)


def _tally(datum: Mapping[str, Any], where: str) -> Tally:
    kinds = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) not in (None, [])]
    if not kinds:
        raise missing(f"At least one of the parameters must be specified: {where}.Value, Values, StatisticValues.")
    if len(kinds) > 1:
        raise invalid_combination(
            f"The parameters {where}.{kinds[0]} and {where}.{kinds[1]} are mutually exclusive and you have specified "
            "both."
        )
    if "StatisticValues" in kinds:
        return _statistic_set(datum["StatisticValues"], f"{where}.StatisticValues")
    values = datum["Values"] if "Values" in kinds else [datum["Value"]]
    counts = datum.get("Counts") or [1.0] * len(values)
    if len(values) > MAX_VALUES:
        raise invalid_value(f"The collection {where}.Values must not have a size greater than {MAX_VALUES}.")
    if len(counts) != len(values):
        raise invalid_value(f"The parameters {where}.Values and {where}.Counts must be of the same size.")
    tally = Tally()
    for value, count in zip(values, counts, strict=True):
        if not _number(count, f"{where}.Counts") > 0:
            raise invalid_value(f"The value {count} for parameter {where}.Counts is invalid.")
        tally.add(_number(value, f"{where}.{kinds[0]}"), count)
    return tally


def _statistic_set(given: Mapping[str, float], where: str) -> Tally:
    count, total, low, high = (
        _number(given[name], f"{where}.{name}") for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if count <= 0:
        raise invalid_value(f"The value {count} for parameter {where}.SampleCount is invalid.")
    if low > high:
        raise invalid_value(f"The parameter {where}.Maximum must be greater than {where}.Minimum.")
    return Tally.of_set(count, total, low, high)


def _number(value: float, where: str) -> float:
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise invalid_value(f"The value {value} for parameter {where} is invalid.")
    return float(value)


@operation("GetMetricStatistics")
async def get_metric_statistics(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Statistics of one metric, a data point for each period and unit in which there were data."""
    wanted = _wanted(params)
    window = _window(params, cloudwatch.clock.now())
    series = Series.of(ctx.scope, params["Namespace"], params["MetricName"], dimensions_of(params.get("Dimensions")))
    found = await cloudwatch.read(lambda tx: reading.by_unit(tx, series, window, cloudwatch.clock.now()))
    datapoints = [
        _datapoint(at_s, unit, tally, wanted)
        for unit, periods in found.items()
        if params.get("Unit", unit) == unit
        for at_s, tally in periods.items()
    ]
    return {"Label": params["MetricName"], "Datapoints": sorted(datapoints, key=lambda one: one["Timestamp"])}


def _wanted(params: Params) -> dict[str, Statistic]:
    simple, extended = params.get("Statistics") or (), params.get("ExtendedStatistics") or ()
    if not simple and not extended:
        raise missing("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
    if simple and extended:
        raise invalid_combination(
            "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both."
        )
    wanted: dict[str, Statistic] = {name: SIMPLE[name] for name in simple}
    for number, name in enumerate(extended, 1):
        found = statistic(name)
        if found is None or name in SIMPLE:
            raise invalid_value(f"The value {name} for parameter ExtendedStatistics.member.{number} is not supported.")
        wanted[name] = found
    return wanted


def _window(params: Params, now_s: float) -> Window:
    period_s = params["Period"]
    if not reading.is_period(period_s):
        raise invalid_value(f"The value {period_s} for parameter Period is invalid: it must be a multiple of 60.")
    start_s, end_s = int(params["StartTime"].timestamp()), math.ceil(params["EndTime"].timestamp())
    if params["StartTime"] >= params["EndTime"]:
        raise invalid_combination("The parameter StartTime must be less than the parameter EndTime.")
    step_s = period_s if period_s < MINUTE_S else points.width_at(MINUTE_S, now_s - start_s)
    window = Window(start_s - start_s % step_s, end_s, period_s)
    count = len(window.starts())
    if count > MAX_DATAPOINTS:
        raise invalid_combination(
            f"You have requested up to {count:,} datapoints, which exceeds the limit of {MAX_DATAPOINTS:,}. You may "
            "reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
    return window


def _datapoint(at_s: int, unit: str, tally: Tally, wanted: Mapping[str, Statistic]) -> dict[str, Any]:
    values = {name: value for name, compute in wanted.items() if (value := compute(tally)) is not None}
    simple = {name: value for name, value in values.items() if name in SIMPLE}
    extended = {name: value for name, value in values.items() if name not in SIMPLE}
    shown = {"ExtendedStatistics": extended} if extended else {}
    return {"Timestamp": moment(at_s), "Unit": unit, **simple, **shown}


@operation("ListMetrics")
async def list_metrics(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Metrics that have had data in the past two weeks, or three hours."""
    try:
        skipped = number_of(params.get("NextToken"))
    except ValueError:
        raise invalid_value("Invalid nextToken") from None
    since_s = int(cloudwatch.clock.now()) - (RECENT_S if params.get("RecentlyActive") else LISTED_S)

    def read(tx: Tx) -> list[Series]:
        found = points.listed(tx, ctx.scope, params.get("Namespace"), params.get("MetricName"), since_s)
        return list(islice(_filtered(found, params.get("Dimensions") or ()), skipped, skipped + MAX_LISTED + 1))

    found = await cloudwatch.read(read)
    result: dict[str, Any] = {"Metrics": [metric(one) for one in found[:MAX_LISTED]]}
    if len(found) > MAX_LISTED:
        result["NextToken"] = token_of(str(skipped + MAX_LISTED))
    return result


def _filtered(found: Iterator[Series], filters: Any) -> Iterator[Series]:
    for series in found:
        dimensions = dict(series.dimensions)
        if all(
            one["Name"] in dimensions and one.get("Value", dimensions[one["Name"]]) == dimensions[one["Name"]]
            for one in filters
        ):
            yield series


def metric(series: Series) -> dict[str, Any]:
    """As answers show it."""
    dimensions = [{"Name": name, "Value": value} for name, value in series.dimensions]
    return {"Namespace": series.namespace, "MetricName": series.name, "Dimensions": dimensions}
