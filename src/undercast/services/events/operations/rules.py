"""Rules: make, change, list, enable, disable, delete.

AWS: EventBridge API Reference, the operations of these names.
"""

from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.events.schedules import InvalidSchedule, parse_schedule
from undercast.services.events import store
from undercast.services.events.errors import invalid
from undercast.services.events.instance import Events
from undercast.services.events.models import DEFAULT_BUS, Rule, RuleName, bus_named, given_pattern, tags_of
from undercast.services.events.pages import page
from undercast.services.events.rounds import next_time
from undercast.store.database import Tx


def rule_named(ctx: RequestContext, params: Params, member: str = "Name") -> RuleName:
    """The rule that a request means."""
    return RuleName(bus_named(params.get("EventBusName"), ctx.scope), params[member])


@operation("PutRule")
async def put_rule(events: Events, ctx: RequestContext, params: Params) -> dict[str, str]:
    """A new rule, or all of an old one anew: what is left out is not kept. Targets and tags stay."""
    name = rule_named(ctx, params)
    _check(name, params)
    tags = tags_of(params.get("Tags"))
    now = ctx.clock.now()

    def write(tx: Tx) -> None:
        old = store.existing(tx, name.bus).rule(name.name)
        rule = Rule(
            name=name,
            pattern=params.get("EventPattern") or "",
            compiled=None,
            schedule=params.get("ScheduleExpression") or "",
            state=params.get("State") or "ENABLED",
            description=params.get("Description"),
            role_arn=params.get("RoleArn") or "",
            created_by=old.created_by if old is not None else str(ctx.account_id),
            anchored_at=now,
            tags=old.tags if old is not None else tags,
        )
        if old is not None and old.is_enabled and old.schedule == rule.schedule:
            rule = replace(rule, anchored_at=old.anchored_at)
        _save(events, tx, rule, now, old)

    await events.database.write(write)
    events.alarm.changed()
    return {"RuleArn": name.arn}


def _save(events: Events, tx: Tx, rule: Rule, now: float, old: Rule | None) -> None:
    """One whose schedule goes on keeps its next time, which may be due and about to fire."""
    next_at = next_time(rule, now)
    if next_at is not None and old is not None and old.is_enabled and old.schedule == rule.schedule:
        next_at = store.next_at(tx, rule.name) or next_at
    store.put_rule(tx, rule, next_at)
    events.buses.changed(tx, rule.name.bus)


def _check(name: RuleName, params: Params) -> None:
    pattern, schedule = params.get("EventPattern"), params.get("ScheduleExpression")
    if not pattern and not schedule:
        raise invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if pattern:
        given_pattern(pattern)
    if not schedule:
        return
    if name.bus.name != DEFAULT_BUS:
        raise invalid("ScheduleExpression is supported only on the default event bus.")
    try:
        parse_schedule(schedule)
    except InvalidSchedule:
        raise invalid("Parameter ScheduleExpression is not valid.") from None


@operation("DescribeRule")
async def describe_rule(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One rule."""
    rule = events.buses.rule(rule_named(ctx, params))
    return {**rule.described(), "CreatedBy": rule.created_by}


@operation("ListRules")
async def list_rules(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The rules of a bus."""
    bus = events.buses.get(bus_named(params.get("EventBusName"), ctx.scope))
    prefix = params.get("NamePrefix") or ""
    found = [rule for rule in bus.rules if rule.name.name.startswith(prefix)]
    rules, token = page(found, lambda rule: rule.name.name, params)
    return {"Rules": [rule.described() for rule in rules], **token}


@operation("ListRuleNamesByTarget")
async def list_rule_names_by_target(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The rules of a bus that have a target."""
    bus = events.buses.get(bus_named(params.get("EventBusName"), ctx.scope))
    wanted = params["TargetArn"]
    found = [rule.name.name for rule in bus.rules if any(target.arn == wanted for target in rule.targets)]
    names, token = page(found, lambda name: name, params)
    return {"RuleNames": names, **token}


@operation("EnableRule")
async def enable_rule(events: Events, ctx: RequestContext, params: Params) -> None:
    """A rate counts anew."""
    await _set_state(events, ctx, params, "ENABLED")


@operation("DisableRule")
async def disable_rule(events: Events, ctx: RequestContext, params: Params) -> None:
    """It matches nothing and its schedule does not come round."""
    await _set_state(events, ctx, params, "DISABLED")


async def _set_state(events: Events, ctx: RequestContext, params: Params, state: str) -> None:
    name, now = rule_named(ctx, params), ctx.clock.now()

    def write(tx: Tx) -> None:
        rule = store.existing_rule(tx, name)
        if rule.state == state:
            return
        anchor = rule.anchored_at if rule.is_enabled else now
        _save(events, tx, replace(rule, state=state, anchored_at=anchor), now, rule)

    await events.database.write(write)
    events.alarm.changed()


@operation("DeleteRule")
async def delete_rule(events: Events, ctx: RequestContext, params: Params) -> None:
    """A rule without targets; one that is not there is no error."""
    name = rule_named(ctx, params)

    def write(tx: Tx) -> None:
        rule = store.existing(tx, name.bus).rule(name.name)
        if rule is None:
            return
        if rule.targets:
            raise invalid("Rule can't be deleted since it has targets.")
        store.remove_rule(tx, name)
        events.buses.changed(tx, name.bus)

    await events.database.write(write)
    events.alarm.changed()
