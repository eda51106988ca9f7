"""What an alarm tells: SNS topics, functions, event buses, and its own history.

Pure. Formats: CloudWatch User Guide, "Invoke a Lambda function from an alarm", "Alarm events and EventBridge"; for
topics those that AWS's libraries have as samples (aws-lambda-go, CloudWatchAlarmSNSPayload).
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.clock import moment
from undercast.services.cloudwatch.alarms import METRIC, Alarm, State

MAX_SUBJECT = 100
_REGIONS: Mapping[str, str] = {
    "us-east-1": "US East (N. Virginia)", "us-east-2": "US East (Ohio)", "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)", "ca-central-1": "Canada (Central)", "eu-central-1": "EU (Frankfurt)",
    "eu-west-1": "EU (Ireland)", "eu-west-2": "EU (London)", "eu-west-3": "EU (Paris)", "eu-north-1": "EU (Stockholm)",
    "eu-south-1": "EU (Milan)", "ap-northeast-1": "Asia Pacific (Tokyo)", "ap-northeast-2": "Asia Pacific (Seoul)",
    "ap-northeast-3": "Asia Pacific (Osaka)", "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)", "ap-south-1": "Asia Pacific (Mumbai)",
    "ap-east-1": "Asia Pacific (Hong Kong)", "sa-east-1": "South America (Sao Paulo)",
    "me-south-1": "Middle East (Bahrain)", "af-south-1": "Africa (Cape Town)",
}  # fmt: skip


def stamp(seconds: float) -> str:
    """2019-10-02T17:04:40.989+0000"""
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def subject(alarm: Alarm) -> str:
    """Of the message to a topic."""
    region = _REGIONS.get(alarm.scope.region, alarm.scope.region)
    return f'{alarm.state.value}: "{alarm.name}" in {region}'[:MAX_SUBJECT]


def topic_message(alarm: Alarm, before: State) -> str:
    """What a topic's subscribers get."""
    settings, state = alarm.settings, alarm.state
    message: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": alarm.scope.account_id,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured_at),
        "NewStateValue": state.value,
        "NewStateReason": state.reason,
        "StateChangeTime": stamp(state.transitioned_at),
        "Region": _REGIONS.get(alarm.scope.region, alarm.scope.region),
        "AlarmArn": alarm.arn,
        "OldStateValue": before.value,
        "OKActions": settings.get("OKActions", []),
        "AlarmActions": settings.get("AlarmActions", []),
        "InsufficientDataActions": settings.get("InsufficientDataActions", []),
    }
    if alarm.kind == METRIC:
        message["Trigger"] = _trigger(settings)
    else:
        message["AlarmRule"] = settings["AlarmRule"]
        message["TriggeringChildren"] = _triggering(state)
    return json.dumps(message, separators=(",", ":"))


def _triggering(state: State) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(state.data).get("triggeringAlarms", []) if state.data else []
    return [{"Arn": one["arn"], "State": {"Value": one["state"]["value"], "Timestamp": one["state"]["timestamp"]}}
            for one in found]  # fmt: skip


def _trigger(settings: Mapping[str, Any]) -> dict[str, Any]:
    common = {
        "EvaluationPeriods": settings["EvaluationPeriods"],
        **({"DatapointsToAlarm": settings["DatapointsToAlarm"]} if "DatapointsToAlarm" in settings else {}),
        "ComparisonOperator": settings["ComparisonOperator"],
        **{name: settings[name] for name in ("Threshold", "ThresholdMetricId") if name in settings},
        "TreatMissingData": settings.get("TreatMissingData", ""),
        "EvaluateLowSampleCountPercentile": settings.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "Metrics" in settings:
        periods = [one.get("MetricStat", one).get("Period", 0) for one in settings["Metrics"]]
        return {"Period": max(periods), **common, "Metrics": [_topic_query(one) for one in settings["Metrics"]]}
    extended = settings.get("ExtendedStatistic")
    statistic = (
        {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": extended}
        if extended
        else {"StatisticType": "Statistic", "Statistic": settings["Statistic"].upper()}
    )
    return {
        "MetricName": settings["MetricName"],
        "Namespace": settings["Namespace"],
        **statistic,
        "Unit": settings.get("Unit"),
        "Dimensions": _pairs(settings.get("Dimensions", ())),
        "Period": settings["Period"],
        **common,
    }


def _pairs(dimensions: Any) -> list[dict[str, str]]:
    return [{"value": one["Value"], "name": one["Name"]} for one in dimensions]


def _topic_query(query: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in query.items() if key in ("Expression", "Id", "Label", "Period", "ReturnData")}
    stat = query.get("MetricStat")
    if stat is not None:
        metric = {**stat["Metric"], "Dimensions": _pairs(stat["Metric"].get("Dimensions", ()))}
        shown["MetricStat"] = {**stat, "Metric": metric}
    return shown


def function_event(alarm: Alarm, before: State) -> str:
    """What a function gets."""
    return json.dumps(
        {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.arn,
            "accountId": alarm.scope.account_id,
            "time": stamp(alarm.state.transitioned_at),
            "region": alarm.scope.region,
            "alarmData": alarm_data(alarm, before),
        }
    )


def bus_event(alarm: Alarm, before: State, event_id: str) -> str:
    """What EventBridge's default bus gets."""
    return json.dumps(
        {
            "version": "0",
            "id": event_id,
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "account": alarm.scope.account_id,
            "time": f"{moment(alarm.state.transitioned_at):%Y-%m-%dT%H:%M:%SZ}",
            "region": alarm.scope.region,
            "resources": [alarm.arn],
            "detail": alarm_data(alarm, before),
        }
    )


def alarm_data(alarm: Alarm, before: State) -> dict[str, Any]:
    """alarmData of a function's event, detail of a bus's."""
    return {
        "alarmName": alarm.name,
        "state": state_data(alarm.state),
        "previousState": state_data(before),
        "configuration": _configuration(alarm),
    }


def state_data(state: State) -> dict[str, Any]:
    """A state with its reason."""
    data = {"reasonData": state.data} if state.data else {}
    return {"value": state.value, "reason": state.reason, **data, "timestamp": stamp(state.updated_at)}


def _configuration(alarm: Alarm) -> dict[str, Any]:
    settings = alarm.settings
    described = {"description": settings["AlarmDescription"]} if settings.get("AlarmDescription") else {}
    if alarm.kind != METRIC:
        names = ("AlarmRule", "ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
        told = {f"{name[0].lower()}{name[1:]}": settings[name] for name in names if name in settings}
        return {**described, **told}
    return {**described, "metrics": [_query(one) for one in queries_of(alarm)]}


def queries_of(alarm: Alarm) -> list[Mapping[str, Any]]:
    """The alarm's metrics as MetricDataQueries, also where it has only one."""
    settings = alarm.settings
    if "Metrics" in settings:
        return list(settings["Metrics"])
    metric = {name: settings[name] for name in ("Namespace", "MetricName", "Dimensions") if name in settings}
    stat = {"Metric": metric, "Period": settings["Period"]}
    stat["Stat"] = settings.get("Statistic") or settings["ExtendedStatistic"]
    if "Unit" in settings:
        stat["Unit"] = settings["Unit"]
    return [{"Id": "m1", "MetricStat": stat, "ReturnData": True}]


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    for name in ("Expression", "Label"):
        if name in query:
            shown[name.lower()] = query[name]
    stat = query.get("MetricStat")
    if stat is not None:
        metric = stat["Metric"]
        dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", ())}
        named = {"namespace": metric.get("Namespace"), "name": metric.get("MetricName"), "dimensions": dimensions}
        unit = {"unit": stat["Unit"]} if "Unit" in stat else {}
        shown["metricStat"] = {"metric": named, "period": stat["Period"], "stat": stat["Stat"], **unit}
    return shown
