"""Event buses and their resource policies.

AWS: EventBridge API Reference, the operations of these names.
"""

import json
from dataclasses import replace
from typing import Any

from undercast.core import json_values
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.policy.document import parse_policy
from undercast.services.events import store
from undercast.services.events.errors import exists, invalid, not_found
from undercast.services.events.instance import Events
from undercast.services.events.models import DEFAULT_BUS, Bus, BusName, bus_named, tags_of
from undercast.services.events.pages import page
from undercast.store.database import Tx

MAX_POLICY_BYTES = 10_240
_SETTINGS = ("Description", "KmsKeyIdentifier", "DeadLetterConfig")


def _settings(params: Params) -> dict[str, Any]:
    return {name: params[name] for name in _SETTINGS if params.get(name)}


@operation("CreateEventBus")
async def create_event_bus(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A custom bus."""
    name = BusName(ctx.scope, params["Name"])
    if "/" in name.name:
        raise invalid(f"Event bus name {name.name} cannot contain the '/' character, unless it is a partner event bus.")
    if name.name == DEFAULT_BUS:
        raise exists(f"Event bus {DEFAULT_BUS} already exists.")
    settings, tags, now = _settings(params), tags_of(params.get("Tags")), ctx.clock.now()

    def write(tx: Tx) -> None:
        if store.find(tx, name) is not None:
            raise exists(f"Event bus {name.name} already exists.")
        bus = Bus(name=name, policy=None, settings=settings, tags=tags, created_at=now, changed_at=now)
        store.put_bus(tx, bus, now)
        events.buses.changed(tx, name)

    await events.database.write(write)
    return {"EventBusArn": name.arn, **settings}


@operation("UpdateEventBus")
async def update_event_bus(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is given replaces what was there; an empty KmsKeyIdentifier takes the key away."""
    name, settings = BusName(ctx.scope, params.get("Name") or DEFAULT_BUS), _settings(params)

    def write(tx: Tx) -> dict[str, Any]:
        bus = store.existing(tx, name)
        kept = {member: value for member, value in bus.settings.items() if member not in params}
        changed = {**kept, **settings}
        store.put_bus(tx, replace(bus, settings=changed), ctx.clock.now())
        events.buses.changed(tx, name)
        return changed

    return {"Arn": name.arn, "Name": name.name, **await events.database.write(write)}


@operation("DeleteEventBus")
async def delete_event_bus(events: Events, ctx: RequestContext, params: Params) -> None:
    """A bus without rules; one that is not there is no error."""
    name = BusName(ctx.scope, params["Name"])
    if name.name == DEFAULT_BUS:
        raise invalid("Cannot delete event bus default.")

    def write(tx: Tx) -> None:
        bus = store.find(tx, name)
        if bus is not None and bus.rules:
            raise invalid(f"Event bus {name.name} can't be deleted since it has rules.")
        store.remove_bus(tx, name)
        events.buses.changed(tx, name)

    await events.database.write(write)


@operation("DescribeEventBus")
async def describe_event_bus(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One bus, by name or ARN."""
    bus = events.buses.get(bus_named(params.get("Name"), ctx.scope))
    return {**_shown(bus), **{name: bus.settings[name] for name in _SETTINGS if name in bus.settings}}


def _shown(bus: Bus) -> dict[str, Any]:
    found: dict[str, Any] = {"Name": bus.name.name, "Arn": bus.name.arn}
    if bus.settings.get("Description"):
        found["Description"] = bus.settings["Description"]
    if bus.policy is not None:
        found["Policy"] = json.dumps(bus.policy, separators=(",", ":"))
    if bus.created_at is not None and bus.changed_at is not None:
        found |= {"CreationTime": moment(bus.created_at), "LastModifiedTime": moment(bus.changed_at)}
    return found


@operation("ListEventBuses")
async def list_event_buses(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The default bus among them."""
    found = await events.database.read(lambda tx: store.buses(tx, ctx.scope, params.get("NamePrefix") or ""))
    buses, token = page(found, lambda bus: bus.name.name, params)
    return {"EventBuses": [_shown(bus) for bus in buses], **token}


@operation("PutPermission")
async def put_permission(events: Events, ctx: RequestContext, params: Params) -> None:
    """A statement for an account, an organisation or everybody; or the whole policy."""
    name = BusName(ctx.scope, params.get("EventBusName") or DEFAULT_BUS)
    whole = _policy(params["Policy"]) if params.get("Policy") else None
    statement = None if whole is not None else _statement(params, name)

    def write(tx: Tx) -> None:
        bus = store.existing(tx, name)
        policy = whole
        if policy is None:
            others = [one for one in _statements(bus) if one.get("Sid") != params["StatementId"]]
            policy = {"Version": "2012-10-17", "Statement": [*others, statement]}
        if len(json.dumps(policy).encode()) > MAX_POLICY_BYTES:
            raise ServiceError("PolicyLengthExceededException", "The event bus policy is too long.")
        store.put_bus(tx, replace(bus, policy=policy), ctx.clock.now())
        events.buses.changed(tx, name)

    await events.database.write(write)


def _policy(text: str) -> dict[str, Any]:
    try:
        document = json_values.parse(text)
    except ValueError:
        raise invalid("Parameter Policy is not valid JSON.") from None
    try:
        parse_policy(document, "resource")
    except ServiceError as error:
        raise invalid(f"Parameter Policy is not valid. Reason: {error.message}") from error
    return dict(document)


def _statement(params: Params, name: BusName) -> dict[str, Any]:
    for member in ("StatementId", "Action", "Principal"):
        if not params.get(member):
            raise invalid(f"Parameter {member} must be specified.")
    if params["Action"] != "events:PutEvents":
        raise invalid("Provided value in parameter 'action' is not supported.")
    principal, condition = params["Principal"], params.get("Condition")
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": params["Action"],
        "Resource": name.arn,
    }
    if condition:
        if condition["Type"] != "StringEquals":
            raise invalid("The type of a condition can only be StringEquals.")
        if principal != "*":
            raise invalid("Condition is supported only with the principal *.")
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return statement


def _statements(bus: Bus) -> list[dict[str, Any]]:
    statements = (bus.policy or {}).get("Statement", [])
    return list(statements) if isinstance(statements, list) else [statements]


@operation("RemovePermission")
async def remove_permission(events: Events, ctx: RequestContext, params: Params) -> None:
    """One statement, or all of them."""
    name = BusName(ctx.scope, params.get("EventBusName") or DEFAULT_BUS)
    if not params.get("RemoveAllPermissions") and not params.get("StatementId"):
        raise invalid("Parameter StatementId must be specified.")

    def write(tx: Tx) -> None:
        bus = store.existing(tx, name)
        left = [one for one in _statements(bus) if one.get("Sid") != params.get("StatementId")]
        if params.get("RemoveAllPermissions"):
            left = []
        elif bus.policy is None:
            raise not_found("EventBus does not have a policy.")
        elif len(left) == len(_statements(bus)):
            raise not_found("Statement with the provided id does not exist.")
        policy = {**(bus.policy or {}), "Statement": left} if left else None
        store.put_bus(tx, replace(bus, policy=policy), ctx.clock.now())
        events.buses.changed(tx, name)

    await events.database.write(write)
