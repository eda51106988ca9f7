"""Schedules: make, change, show, delete.

AWS: EventBridge Scheduler API Reference, the operations of these names.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core import json_values
from undercast.core.arn import is_fifo
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import refused_member
from undercast.core.page_tokens import token_of
from undercast.core.service import Params, operation
from undercast.events.schedules import Once
from undercast.services import roles, target_calls
from undercast.services.scheduler import store
from undercast.services.scheduler.errors import conflict, invalid
from undercast.services.scheduler.instance import Scheduler
from undercast.services.scheduler.models import (
    DEFAULT_GROUP,
    PRINCIPAL,
    Planned,
    expression_of,
    made_by,
    schedule_arn,
    zone_of,
)
from undercast.services.scheduler.pages import PER_PAGE, beginning
from undercast.services.scheduler.rounds import turn_of
from undercast.services.scheduler.universal import is_universal, named
from undercast.store.database import Tx

_KEPT = ("ScheduleExpression", "Description", "KmsKeyArn", "Target", "FlexibleTimeWindow")
_OTHERS = ("EcsParameters", "SageMakerPipelineParameters", "EventBridgePutEventsV2Parameters",
           "EventBridgePutRawEventsParameters")  # fmt: skip
_LATE_START_S = 300.0
_JSON_ONLY = frozenset({"lambda", "states", "events"})


@operation("CreateSchedule")
async def create_schedule(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, str]:
    """A schedule; the one that is there where the same request is made again (ClientToken)."""
    await _check(scheduler, ctx, params)
    now = ctx.clock.now()
    _check_start(params, now)
    made = _planned(ctx, params, created_at=now, now=now)

    def write(tx: Tx) -> None:
        store.existing_group(tx, ctx.scope, made.group)
        known = store.find(tx, ctx.scope, made.group, made.name)
        if known is not None:
            if made.made_by.is_again(known.made_by):
                return
            raise conflict(f"Schedule {made.name} already exists.")
        store.put(tx, made, turn_of(scheduler, made, now - 1e-3))

    await scheduler.database.write(write)
    scheduler.alarm.changed()
    return {"ScheduleArn": made.arn}


@operation("UpdateSchedule")
async def update_schedule(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, str]:
    """All of it anew: what is left out is not kept."""
    await _check(scheduler, ctx, params)
    now = ctx.clock.now()

    def write(tx: Tx) -> Planned:
        old = store.existing(tx, ctx.scope, params.get("GroupName") or DEFAULT_GROUP, params["Name"])
        changed = replace(_planned(ctx, params, created_at=old.created_at, now=now), made_by=old.made_by)
        store.put(tx, changed, turn_of(scheduler, changed, now - 1e-3))
        return changed

    changed = await scheduler.database.write(write)
    scheduler.alarm.changed()
    return {"ScheduleArn": changed.arn}


def _planned(ctx: RequestContext, params: Params, *, created_at: float, now: float) -> Planned:
    dates = [params[name].timestamp() if params.get(name) else None for name in ("StartDate", "EndDate")]
    given = {name: params[name] for name in _KEPT if name in params}
    given |= {
        "ScheduleExpressionTimezone": params.get("ScheduleExpressionTimezone") or "UTC",
        "State": params.get("State") or "ENABLED",
        "ActionAfterCompletion": params.get("ActionAfterCompletion") or "NONE",
    }
    return Planned(
        scope=ctx.scope,
        group=params.get("GroupName") or DEFAULT_GROUP,
        name=params["Name"],
        given=given,
        begins_at=dates[0],
        ends_at=dates[1],
        made_by=made_by(params),
        created_at=created_at,
        changed_at=now,
        anchored_at=now,
    )


async def _check(scheduler: Scheduler, ctx: RequestContext, params: Params) -> None:
    schedule = expression_of(params["ScheduleExpression"])
    zone_of(params)
    window = params["FlexibleTimeWindow"]
    if (window["Mode"] == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
        raise invalid("A maximum window is specified for a flexible time window, and for no other one.")
    begins, ends = params.get("StartDate"), params.get("EndDate")
    if begins and ends and not isinstance(schedule, Once) and begins >= ends:
        raise invalid("The StartDate must come before the EndDate.")
    await _check_target(scheduler, ctx, params["Target"])
    arn = schedule_arn(ctx.scope, params.get("GroupName") or DEFAULT_GROUP, params["Name"])
    conditions = {"aws:SourceArn": arn, "aws:SourceAccount": str(ctx.account_id)}
    if not await roles.trusts(ctx, PRINCIPAL, params["Target"]["RoleArn"], conditions):
        raise invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")


def _check_start(params: Params, now: float) -> None:
    """AWS takes a recurring schedule that began a little ago, and none that began longer ago."""
    begins = params.get("StartDate")
    is_once = isinstance(expression_of(params["ScheduleExpression"]), Once)
    if begins and not is_once and begins.timestamp() < now - _LATE_START_S:
        raise invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")


async def _check_target(scheduler: Scheduler, ctx: RequestContext, target: Mapping[str, Any]) -> None:
    arn = target["Arn"]
    for name in _OTHERS:
        if name in target:
            raise refused_member(ctx.operation, f"Target.{name}", "there is no such target here")
    if is_universal(arn):
        if named(scheduler.sdk, arn) is None:
            raise invalid(f"Provided Arn {arn} is not supported as a target.")
        _check_parameters("", "", target)
        return
    fields = arn.split(":", 5)
    if len(fields) != 6 or fields[0] != "arn" or not fields[5]:
        raise invalid(f"Provided Arn is not in correct format: {arn}")
    service = fields[2]
    kind = target_calls.KINDS.get(service)
    if service != "events" and (kind is None or not await target_calls.is_here(ctx, kind)):
        raise refused_member(ctx.operation, f"Target.Arn={arn}", "there is no such target here")
    _check_parameters(service, fields[5], target)


def _check_parameters(service: str, resource: str, target: Mapping[str, Any]) -> None:
    for wanted, name in (("events", "EventBridgeParameters"), ("kinesis", "KinesisParameters")):
        if (service == wanted) != (name in target):
            raise invalid(f"{name} must be provided for a target of this kind, and for no other one.")
    to_fifo = service == "sqs" and is_fifo(resource)
    if to_fifo != bool((target.get("SqsParameters") or {}).get("MessageGroupId")):
        raise invalid("SqsParameters must be provided for a FIFO queue, and for no other target.")
    if "Input" in target and service in _JSON_ONLY:
        try:
            json_values.parse(target["Input"])
        except ValueError:
            raise invalid("Invalid Input: the input must be well-formed JSON for a target of this kind.") from None


@operation("GetSchedule")
async def get_schedule(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One of them."""
    group = params.get("GroupName") or DEFAULT_GROUP
    return (await scheduler.database.read(lambda tx: store.existing(tx, ctx.scope, group, params["Name"]))).described()


@operation("DeleteSchedule")
async def delete_schedule(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Invocations that have begun go on."""
    group = params.get("GroupName") or DEFAULT_GROUP
    await scheduler.database.write(lambda tx: store.remove(tx, store.existing(tx, ctx.scope, group, params["Name"])))
    return {}


@operation("ListSchedules")
async def list_schedules(scheduler: Scheduler, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By group, name and state."""
    group, _, name = beginning(params).partition("/")
    wanted = store.Wanted(ctx.scope, params.get("GroupName"), params.get("NamePrefix") or "", params.get("State"))
    limit = params.get("MaxResults") or PER_PAGE

    def read(tx: Tx) -> list[Planned]:
        if wanted.group is not None:
            store.existing_group(tx, ctx.scope, wanted.group)
        return store.some(tx, wanted, (group, name), limit + 1)

    found = await scheduler.database.read(read, long=True)  # a hundred targets' inputs may be large
    answer: dict[str, Any] = {"Schedules": [_listed(one) for one in found[:limit]]}
    if len(found) > limit:
        answer["NextToken"] = token_of(f"{found[limit - 1].group}/{found[limit - 1].name}")
    return answer


def _listed(one: Planned) -> dict[str, Any]:
    return {
        "Arn": one.arn,
        "Name": one.name,
        "GroupName": one.group,
        "State": one.given["State"],
        "CreationDate": moment(one.created_at),
        "LastModificationDate": moment(one.changed_at),
        "Target": {"Arn": one.target["Arn"]},
    }
