"""Checks PutMetricAlarm and PutCompositeAlarm, and makes of them what an alarm is made of.

AWS: CloudWatch API Reference, PutMetricAlarm, PutCompositeAlarm.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.arn import Scope
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import Params
from undercast.services.cloudwatch.alarms import ACTIONS
from undercast.services.cloudwatch.bands import FUNCTION
from undercast.services.cloudwatch.errors import invalid
from undercast.services.cloudwatch.expressions import is_band
from undercast.services.cloudwatch.insights import is_select
from undercast.services.cloudwatch.judging import BANDS, COMPARISONS, TREATMENTS
from undercast.services.cloudwatch.queries import queries_of
from undercast.services.cloudwatch.rules import RuleProblem
from undercast.services.cloudwatch.rules import parse as parse_rule
from undercast.services.cloudwatch.statistics import SIMPLE, statistic
from undercast.services.cloudwatch.transitions import FUNCTIONS, TOPICS
from undercast.services.cloudwatch.trial import try_alarm

DAY_S = 86_400
MAX_QUERIES = 20
MAX_METRICS = 10
_FINE_PERIODS = frozenset({10, 20, 30})
_OF_METRIC = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
_SUPPRESSION = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
_COMMON = ("AlarmDescription", *ACTIONS.values())
_CONDITION = ("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ThresholdMetricId", "ComparisonOperator",
              "TreatMissingData", "EvaluateLowSampleCountPercentile")  # fmt: skip


def metric_alarm(scope: Scope, params: Params) -> dict[str, Any]:
    """Settings of a metric alarm. Raises ValidationError; what we lack is named."""
    _check_actions("PutMetricAlarm", params)
    periods = _check_metrics(scope, params) if params.get("Metrics") else [_check_metric(params)]
    _check_condition(params, max(periods))
    settings = _taken(params, (*_COMMON, *_OF_METRIC, *_CONDITION, "Metrics"))
    if params.get("Metrics"):
        settings["Metrics"] = [{"ReturnData": True, **one} for one in params["Metrics"]]
    else:
        settings.setdefault("Dimensions", [])
    if "Threshold" in settings:
        settings["Threshold"] = float(settings["Threshold"])
    return settings


def composite_alarm(params: Params) -> dict[str, Any]:
    """Settings of a composite alarm. Raises ValidationError."""
    _check_actions("PutCompositeAlarm", params)
    try:
        parse_rule(params["AlarmRule"])
    except RuleProblem as problem:
        raise invalid(f"AlarmRule is invalid: {problem}") from problem
    if params.get("ActionsSuppressor"):
        for name in _SUPPRESSION:
            if params.get(name) is None:
                raise invalid(f"{name} is required when ActionsSuppressor is specified.")
            if params[name] < 0:
                raise invalid(f"The value {params[name]} for parameter {name} is invalid.")
        return _taken(params, (*_COMMON, "AlarmRule", "ActionsSuppressor", *_SUPPRESSION))
    for name in _SUPPRESSION:
        if params.get(name) is not None:
            raise invalid(f"{name} should not be set without ActionsSuppressor.")
    return _taken(params, (*_COMMON, "AlarmRule"))


def _taken(params: Params, names: tuple[str, ...]) -> dict[str, Any]:
    settings = {name: params[name] for name in names if params.get(name) is not None}
    for member in ACTIONS.values():
        settings[member] = list(settings.get(member, ()))
    return settings


def _check_actions(operation: str, params: Params) -> None:
    for member in ACTIONS.values():
        for arn in params.get(member) or ():
            parts = arn.split(":", 5)
            if len(parts) != 6 or parts[0] != "arn" or not parts[2]:
                raise invalid(f"Invalid arn syntax: {arn}")
            if parts[2] not in (FUNCTIONS, TOPICS):
                raise refused_member(operation, member, f"actions of {parts[2]} are not supported: {arn}")


def _check_metric(params: Params) -> int:
    for name in ("MetricName", "Namespace", "Period"):
        if params.get(name) is None:
            raise invalid(f"{name} must not be null")
    simple, extended = params.get("Statistic"), params.get("ExtendedStatistic")
    if (simple is None) == (extended is None):
        raise invalid("Exactly one of Statistic and ExtendedStatistic must be specified")
    if extended is not None and (extended in SIMPLE or statistic(extended) is None):
        raise invalid(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    _check_period(params["Period"])
    period: int = params["Period"]
    return period


def _check_period(seconds: int) -> None:
    if seconds not in _FINE_PERIODS and (seconds <= 0 or seconds % 60):
        raise invalid("Period must be 10, 20, 30 or a multiple of 60")


def _check_metrics(scope: Scope, params: Params) -> list[int]:
    for name in _OF_METRIC:
        if params.get(name):
            raise invalid(f"{name} should not be set if list of Metrics is set.")
    given = params["Metrics"]
    if len(given) > MAX_QUERIES:
        raise invalid(f"The collection Metrics must not have a size greater than {MAX_QUERIES}.")
    queries = queries_of(scope, given, "Metrics")
    band = params.get("ThresholdMetricId")
    if band is not None and not any(query.id == band and is_band(query) for query in queries):
        raise invalid(f"ThresholdMetricId {band} is not the id of an {FUNCTION} in the list of Metrics.")
    watched = [query for query in queries if query.returns and query.id != band]
    if len(watched) != 1:
        raise invalid("Exactly one element of the metrics list should return data.")
    metrics = [query.metric for query in queries if query.metric is not None]
    periods = [metric.period_s for metric in metrics]
    periods += [query.period_s for query in queries if is_select(query.expression) and query.period_s is not None]
    if not periods or len(periods) > MAX_METRICS:
        raise invalid(f"An alarm on an expression has one to {MAX_METRICS} metrics.")
    for period_s in periods:
        _check_period(period_s)
    if len(set(periods)) > 1:
        raise invalid("All metrics of an alarm must have the same period.")
    try_alarm(queries, watched[0])
    return periods


def _check_condition(params: Mapping[str, Any], period_s: int) -> None:
    band = params.get("ThresholdMetricId")
    for name in ("EvaluationPeriods", "ComparisonOperator", *(("Threshold",) if band is None else ())):
        if params.get(name) is None:
            raise invalid(f"{name} must not be null")
    _check_comparison(params, band)
    periods, to_alarm = params["EvaluationPeriods"], params.get("DatapointsToAlarm")
    if to_alarm is not None and to_alarm > periods:
        raise invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    longest_s = DAY_S if period_s < 3600 else 7 * DAY_S
    if periods * period_s > longest_s:
        raise invalid(
            f"Metrics cannot be checked across more than {'a day' if longest_s == DAY_S else '7 days'} "
            f"(EvaluationPeriods * Period must be <= {longest_s})."
        )
    _check_one_of(params, "TreatMissingData", TREATMENTS)
    _check_one_of(params, "EvaluateLowSampleCountPercentile", ("evaluate", "ignore"))


def _check_comparison(params: Mapping[str, Any], band: str | None) -> None:
    """A band is compared in other ways than a number, and only where the alarm has a list of metrics."""
    if band is not None and not params.get("Metrics"):
        raise invalid("ThresholdMetricId should not be set if list of Metrics is not set.")
    if band is not None and params.get("Threshold") is not None:
        raise invalid("Threshold should not be set if ThresholdMetricId is set.")
    if (params["ComparisonOperator"] in BANDS) != (band is not None):
        needed = BANDS if band is not None else COMPARISONS
        raise _not_one_of(params["ComparisonOperator"], "ComparisonOperator", tuple(needed))


def _check_one_of(params: Mapping[str, Any], name: str, values: tuple[str, ...]) -> None:
    if params.get(name) is not None and params[name] not in values:
        raise _not_one_of(params[name], name, values)


def _not_one_of(value: str, name: str, values: tuple[str, ...]) -> ServiceError:
    return invalid(f"The value {value} for parameter {name} is invalid: it must be one of {', '.join(values)}.")
