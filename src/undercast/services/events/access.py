"""What each EventBridge request needs: its action on the bus, the rule or another resource, and the bus's policy.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EventBridge"; EventBridge User
Guide, "Using IAM policy conditions in Amazon EventBridge" (events:source, events:detail-type, events:TargetArn).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Arn
from undercast.core.context import RequestContext
from undercast.core.late_keys import Keys
from undercast.core.service import Access, Params
from undercast.services.events.instance import Events
from undercast.services.events.models import PRINCIPAL, BusName, RuleName, bus_named, bus_of_arn, rule_of_arn
from undercast.services.roles import passed_role

_OF_ACCOUNT = frozenset(
    {
        "ListEventBuses",
        "TestEventPattern",
        "ListConnections",
        "ListApiDestinations",
        "ListArchives",
        "ListReplays",
    }
)
_NAMED = {
    "ApiDestination": ("api-destination", "Name"),
    "Connection": ("connection", "Name"),
    "Archive": ("archive", "ArchiveName"),
    "Replay": ("replay", "ReplayName"),
}
"""Operation's noun -> resource type, and the member that names it."""
_PATTERN_KEYS = ("source", "detail-type", "detail.service", "detail.eventTypeCode", "detail.userIdentity.principalId")
_OF_BUS = frozenset({
    "CreateEventBus", "UpdateEventBus", "DeleteEventBus", "DescribeEventBus", "PutPermission", "RemovePermission",
})  # fmt: skip


async def access(events: Events, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    action = f"events:{operation}"
    if operation == "PutEvents":
        return tuple(_of_entry(events, ctx, entry) for entry in params["Entries"])
    if operation in _OF_ACCOUNT:
        return (Access(action=action, resource="*"),)
    if operation in _OF_BUS:
        name = params.get("EventBusName") if operation.endswith("Permission") else params.get("Name")
        return (_on_bus(events, action, bus_named(name, ctx.scope)),)
    noun = next((noun for noun in _NAMED if operation.endswith(noun)), None)
    if noun is not None:
        kind, member = _NAMED[noun]
        path = f"{kind}/{params[member]}" + ("/*" if member == "Name" else "")
        return (Access(action=action, resource=str(Arn.of(ctx.scope, "events", path))),)
    if "ResourceARN" in params:
        return (_of_arn(action, params["ResourceARN"]),)
    return (_on_rule(events, ctx, action, params), *_passed_roles(ctx, params))


def _of_entry(events: Events, ctx: RequestContext, entry: Params) -> Access:
    conditions = {
        key: entry[member]
        for key, member in (("events:source", "Source"), ("events:detail-type", "DetailType"))
        if entry.get(member)
    }
    return _on_bus(events, "events:PutEvents", bus_named(entry.get("EventBusName"), ctx.scope), conditions)


def _on_bus(events: Events, action: str, name: BusName, conditions: Mapping[str, str] | None = None) -> Access:
    bus = events.buses.find(name)
    return Access(
        action=action,
        resource=name.arn,
        conditions=conditions or {},
        resource_policy=bus.policy if bus is not None else None,
        resource_account_id=name.scope.account_id,
    )


def _of_arn(action: str, arn: str) -> Access:
    """Tags of a bus or rule. No policy of a bus is asked: AWS says of none of these that it is."""
    bus, rule = bus_of_arn(arn), rule_of_arn(arn)
    if rule is not None:
        bus = rule.bus
    return Access(action=action, resource=arn, resource_account_id=bus.scope.account_id if bus is not None else None)


def _on_rule(events: Events, ctx: RequestContext, action: str, params: Params) -> Access:
    """On one rule; a list is on every rule of the bus, as AWS's refusals of events:ListRules name it: ".../rule/*"."""
    bus = bus_named(params.get("EventBusName"), ctx.scope)
    name = RuleName(bus, params.get("Rule") or params.get("Name") or "*")
    there = events.buses.find(bus)
    conditions = _of_pattern(params.get("EventPattern")) if action == "events:PutRule" else {}
    if "Targets" in params:
        conditions["events:TargetArn"] = tuple(target["Arn"] for target in params["Targets"])
    rule = there.rule(name.name) if there is not None else None
    if rule is not None:
        conditions["events:creatorAccount"] = rule.created_by
    return Access(
        action=action,
        resource=name.arn,
        conditions=conditions,
        resource_policy=there.policy if there is not None else None,
        resource_account_id=bus.scope.account_id,
    )


def _of_pattern(text: str | None) -> Keys:
    """The values that a rule's pattern has for what is a condition key; other matchers than values are none.

    AWS: User Guide, "Using IAM policy conditions in Amazon EventBridge", its examples of PutRule.
    """
    try:
        pattern = json_values.parse(text) if text else {}
    except ValueError:
        return {}  # the operation says what is wrong with it
    found: Keys = {}
    for path in _PATTERN_KEYS:
        at = pattern
        for name in path.split("."):
            at = at.get(name) if isinstance(at, dict) else None
        values = tuple(one for one in at if isinstance(one, str)) if isinstance(at, list) else ()
        if values:
            found[f"events:{path}"] = values
    return found


def _passed_roles(ctx: RequestContext, params: Params) -> Iterator[Access]:
    """The roles that EventBridge is given."""
    given = [params.get("RoleArn"), *(target.get("RoleArn") for target in params.get("Targets") or ())]
    for role_arn in dict.fromkeys(one for one in given if one):
        yield passed_role(ctx, role_arn, PRINCIPAL)


async def policy_of(events: Events, arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    name = bus_of_arn(arn)
    bus = events.buses.find(name) if name is not None else None
    return bus.policy if bus is not None else None


def tags_of(events: Events, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    bus, rule = bus_of_arn(arn), rule_of_arn(arn)
    name = rule.bus if rule is not None else bus
    found = events.buses.find(name) if name is not None else None
    if rule is not None and found is not None:
        one = found.rule(rule.name)
        return one.tags if one is not None else {}
    return found.tags if found is not None else {}
