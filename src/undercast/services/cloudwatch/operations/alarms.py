"""Put, describe and delete alarms.

AWS: CloudWatch API Reference, PutMetricAlarm, PutCompositeAlarm, DescribeAlarms, DescribeAlarmsForMetric, DeleteAlarms.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.page_tokens import name_of as after_token
from undercast.core.page_tokens import token_of
from undercast.core.service import Params, operation
from undercast.services.cloudwatch import alarm_store
from undercast.services.cloudwatch.alarm_settings import composite_alarm, metric_alarm
from undercast.services.cloudwatch.alarms import (
    COMPOSITE,
    INSUFFICIENT_DATA,
    METRIC,
    UNCHECKED,
    Alarm,
    State,
)
from undercast.services.cloudwatch.errors import bad_token, invalid, no_alarms
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.services.cloudwatch.operations.tags import checked_tags
from undercast.services.cloudwatch.queries import dimensions_of
from undercast.services.cloudwatch.rules import Rule
from undercast.services.cloudwatch.ties import rule_of, ties_among, ties_of
from undercast.services.cloudwatch.transitions import item_of
from undercast.store.database import Tx

DEFAULT_PAGE = 50
_SHOWN: Mapping[str, str] = {METRIC: "MetricAlarms", COMPOSITE: "CompositeAlarms"}


@operation("PutMetricAlarm")
async def put_metric_alarm(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> None:
    """Make or replace it. A new one is looked at at once; one that was there keeps its state until then."""
    settings = metric_alarm(ctx.scope, params)
    alarm = await _put(cloudwatch, ctx, params, METRIC, settings)
    cloudwatch.evaluator.look_at(alarm)


@operation("PutCompositeAlarm")
async def put_composite_alarm(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> None:
    """The same for an alarm that looks at others. They must be there."""
    await _put(cloudwatch, ctx, params, COMPOSITE, composite_alarm(params))


async def _put(
    cloudwatch: CloudWatch, ctx: RequestContext, params: Params, kind: str, settings: Mapping[str, Any]
) -> Alarm:
    name, now_s = params["AlarmName"], ctx.clock.now()
    tags = checked_tags(params.get("Tags"))

    def write(tx: Tx) -> Alarm:
        known = alarm_store.find(tx, ctx.scope, name)
        if known is not None and known.kind != kind:
            raise invalid(f"The alarm {name} already exists and is not a {kind}.")
        state = State(value=INSUFFICIENT_DATA, reason=UNCHECKED, updated_at=now_s, transitioned_at=now_s)
        alarm = Alarm(
            scope=ctx.scope,
            name=name,
            kind=kind,
            settings=settings,
            actions_enabled=params.get("ActionsEnabled", True),
            state=state if known is None else known.state,
            configured_at=now_s,
            tags=tags if known is None else known.tags,
        )
        if known is not None and known.suppressor == alarm.suppressor:
            alarm = replace(alarm, suppression=known.suppression)
        if kind == COMPOSITE:
            _check_children(tx, alarm)
        alarm_store.put(tx, alarm)
        _note(tx, alarm, now_s, "Created" if known is None else "Updated")
        if kind == COMPOSITE:
            cloudwatch.composites.look_at(tx, alarm)
        return alarm

    return await cloudwatch.database.write(write, long=kind == COMPOSITE)


def _check_children(tx: Tx, alarm: Alarm) -> None:
    looked_at = {*rule_of(alarm).children, alarm.suppressor} - {alarm.name, ""}
    missing = sorted(name for name in looked_at if alarm_store.find(tx, alarm.scope, name) is None)
    if missing:
        raise invalid(
            f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not exist"
        )


def _note(tx: Tx, alarm: Alarm, at: float, what: str) -> None:
    configuration = {**alarm.settings, "AlarmName": alarm.name, "ActionsEnabled": alarm.actions_enabled}
    key = f"{what.lower()}Alarm" if what != "Deleted" else "deletedAlarm"
    data = json.dumps({"version": "1.0", "type": what.removesuffix("d"), key: configuration}, default=str)
    alarm_store.note(tx, item_of(alarm, at, "ConfigurationUpdate", f'Alarm "{alarm.name}" {what.lower()}', data))


@operation("DeleteAlarms")
async def delete_alarms(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> None:
    """Those that are there. What a composite alarm looks at cannot be deleted, nor two composite ones at once."""
    names = list(dict.fromkeys(params["AlarmNames"]))

    def write(tx: Tx) -> None:
        found = [alarm for name in names if (alarm := alarm_store.find(tx, ctx.scope, name)) is not None]
        if sum(alarm.kind == COMPOSITE for alarm in found) > 1:
            raise invalid("Only one composite alarm can be deleted at a time.")
        _check_parents(tx, ctx, [alarm.name for alarm in found])
        for alarm in found:
            alarm_store.delete(tx, ctx.scope, alarm.name)
            _note(tx, alarm, ctx.clock.now(), "Deleted")
        if not found:
            raise no_alarms(names)

    await cloudwatch.database.write(write, long=True)


def _check_parents(tx: Tx, ctx: RequestContext, names: Sequence[str]) -> None:
    """A composite alarm that goes with them holds none."""
    staying = [one for one in alarm_store.of_scope(tx, ctx.scope, COMPOSITE) if one.name not in names]
    looked_at = ties_among(staying).parents
    if held := [name for name in names if name in looked_at]:
        them = "them" if len(held) > 1 else "it"
        raise invalid(f"Cannot delete {','.join(held)} as there are composite alarm(s) depending on {them}.")


@operation("DescribeAlarms")
async def describe_alarms(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Alarms by name, prefix, state or action; children or parents of one. Metric alarms alone unless asked."""
    limit = params.get("MaxRecords") or DEFAULT_PAGE
    try:
        after = after_token(params.get("NextToken"))
    except ValueError:
        raise bad_token() from None

    def read(tx: Tx) -> list[tuple[Alarm, dict[str, Any]]]:
        return list(islice((one for one in _found(tx, ctx, params) if one[0].name > after), limit + 1))

    found = await cloudwatch.database.read(read, long=True)
    result: dict[str, Any] = {"MetricAlarms": [], "CompositeAlarms": []}
    for alarm, shown in found[:limit]:
        result[_SHOWN[alarm.kind]].append(shown)
    if len(found) > limit:
        result["NextToken"] = token_of(found[limit - 1][0].name)
    return result


def _found(tx: Tx, ctx: RequestContext, params: Params) -> Iterator[tuple[Alarm, dict[str, Any]]]:
    child_of, parent_of = params.get("ChildrenOfAlarmName"), params.get("ParentsOfAlarmName")
    if child_of or parent_of:
        if set(params) - {"ChildrenOfAlarmName", "ParentsOfAlarmName", "MaxRecords", "NextToken"} or (
            child_of and parent_of
        ):
            raise invalid("ChildrenOfAlarmName and ParentsOfAlarmName exclude all other parameters.")
        yield from _relatives(tx, ctx, child_of, parent_of)
        return
    if params.get("AlarmNames") and params.get("AlarmNamePrefix"):
        raise invalid("AlarmNames and AlarmNamePrefix are mutually exclusive.")
    types = params.get("AlarmTypes") or (METRIC,)
    for alarm in alarm_store.of_scope(tx, ctx.scope):
        if alarm.kind in types and _is_wanted(alarm, params):
            yield alarm, alarm.shown()


def _is_wanted(alarm: Alarm, params: Params) -> bool:
    names, prefix = params.get("AlarmNames"), params.get("ActionPrefix")
    return (
        (not names or alarm.name in names)
        and alarm.name.startswith(params.get("AlarmNamePrefix") or "")
        and params.get("StateValue", alarm.state.value) == alarm.state.value
        and (not prefix or any(arn.startswith(prefix) for arn in alarm.every_action))
    )


def _relatives(
    tx: Tx, ctx: RequestContext, child_of: str | None, parent_of: str | None
) -> Iterator[tuple[Alarm, dict[str, Any]]]:
    alarm = alarm_store.find(tx, ctx.scope, str(child_of or parent_of))
    if alarm is None:
        return
    few = ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp") if child_of else ("AlarmName", "AlarmArn")
    rule = rule_of(alarm) if child_of and alarm.kind == COMPOSITE else Rule((), lambda _: False)
    names = sorted(rule.children) if child_of else ties_of(tx, ctx.scope).parents.get(alarm.name, ())
    for name in names:
        one = alarm_store.find(tx, ctx.scope, name)
        if one is not None:
            yield one, {name: value for name, value in one.shown().items() if name in few}


@operation("DescribeAlarmsForMetric")
async def describe_alarms_for_metric(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Alarms on exactly this metric; not those on expressions."""
    wanted = {name: params[name] for name in ("Namespace", "MetricName")}
    given = ("Statistic", "ExtendedStatistic", "Period", "Unit")
    wanted |= {name: params[name] for name in given if params.get(name) is not None}
    dimensions = sorted(dimensions_of(params.get("Dimensions")))
    alarms = await cloudwatch.database.read(lambda tx: alarm_store.of_scope(tx, ctx.scope, METRIC), long=True)
    return {
        "MetricAlarms": [
            alarm.shown()
            for alarm in alarms
            if all(alarm.settings.get(name) == value for name, value in wanted.items())
            and sorted(dimensions_of(alarm.settings.get("Dimensions"))) == dimensions
        ]
    }
