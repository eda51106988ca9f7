"""API destinations: make, change, show, delete.

AWS: EventBridge API Reference, the operations of these names.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from undercast.core.arn import Scope
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.events import connections
from undercast.services.events.connections import AUTHORIZED, Destination
from undercast.services.events.errors import exists, invalid, not_found
from undercast.services.events.instance import Events
from undercast.services.events.pages import page
from undercast.services.events.web_requests import is_own
from undercast.store.database import Tx


def _state(tx: Tx, one: Destination) -> str:
    """ACTIVE while its connection is authorised."""
    used = connections.connection_at(tx, one.scope, one.connection)
    return "ACTIVE" if used is not None and used.state == AUTHORIZED else "INACTIVE"


def _check(tx: Tx, scope: Scope, params: Params) -> None:
    """Another account's connection is not found: its secret would go to the caller's endpoint."""
    if "InvocationEndpoint" in params:
        parts = urlsplit(params["InvocationEndpoint"])
        if parts.scheme not in ("https", "http") or not parts.hostname or is_own(params["InvocationEndpoint"]):
            raise invalid("Parameter InvocationEndpoint is not valid.")
    if "ConnectionArn" in params and connections.connection_at(tx, scope, params["ConnectionArn"]) is None:
        raise not_found(f"Connection '{params['ConnectionArn']}' does not exist.")


def _answer(tx: Tx, one: Destination) -> dict[str, Any]:
    return {
        "ApiDestinationArn": one.arn,
        "ApiDestinationState": _state(tx, one),
        "CreationTime": moment(one.created_at),
        "LastModifiedTime": moment(one.changed_at),
    }


@operation("CreateApiDestination")
async def create_api_destination(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """An HTTP endpoint that rules can have as a target."""
    now = ctx.clock.now()
    one = Destination(
        scope=ctx.scope,
        name=params["Name"],
        id=ctx.ids.uuid(),
        description=params.get("Description"),
        connection=params["ConnectionArn"],
        endpoint=params["InvocationEndpoint"],
        method=params["HttpMethod"],
        rate=params.get("InvocationRateLimitPerSecond"),
        from_sandbox=ctx.cause.kind != "external",
        made_by=ctx.principal.role_arn or ctx.principal.arn,
        created_at=now,
        changed_at=now,
    )

    def write(tx: Tx) -> dict[str, Any]:
        _check(tx, ctx.scope, params)
        if any(other.name == one.name for other in connections.destinations(tx, ctx.scope)):
            raise exists(f"An api-destination '{one.name}' already exists.")
        connections.put_destination(tx, one)
        return _answer(tx, one)

    return await events.database.write(write)


@operation("UpdateApiDestination")
async def update_api_destination(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is given replaces what was there."""

    def write(tx: Tx) -> dict[str, Any]:
        old = connections.destination(tx, ctx.scope, params["Name"])
        _check(tx, ctx.scope, params)
        changed = replace(
            old,
            description=params.get("Description", old.description),
            connection=params.get("ConnectionArn", old.connection),
            endpoint=params.get("InvocationEndpoint", old.endpoint),
            method=params.get("HttpMethod", old.method),
            rate=params.get("InvocationRateLimitPerSecond", old.rate),
            from_sandbox=old.from_sandbox or ctx.cause.kind != "external",
            made_by=old.made_by if ctx.cause.kind == "external" else ctx.principal.role_arn or ctx.principal.arn,
            changed_at=ctx.clock.now(),
        )
        connections.put_destination(tx, changed)
        return _answer(tx, changed)

    return await events.database.write(write)


@operation("DeleteApiDestination")
async def delete_api_destination(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Rules that have it as a target send to their dead-letter queues from now on."""

    def write(tx: Tx) -> None:
        connections.destination(tx, ctx.scope, params["Name"])
        connections.remove(tx, "destination", ctx.scope, params["Name"])

    await events.database.write(write)
    return {}


def _shown(tx: Tx, one: Destination) -> dict[str, Any]:
    found = {
        "Name": one.name,
        **_answer(tx, one),
        "ConnectionArn": one.connection,
        "InvocationEndpoint": one.endpoint,
        "HttpMethod": one.method,
    }
    if one.rate is not None:
        found["InvocationRateLimitPerSecond"] = one.rate
    return found


@operation("DescribeApiDestination")
async def describe_api_destination(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One of them."""

    def read(tx: Tx) -> dict[str, Any]:
        one = connections.destination(tx, ctx.scope, params["Name"])
        return {**_shown(tx, one), **({"Description": one.description} if one.description else {})}

    return await events.database.read(read)


@operation("ListApiDestinations")
async def list_api_destinations(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name and connection."""

    def read(tx: Tx) -> dict[str, Any]:
        prefix, wanted = params.get("NamePrefix") or "", params.get("ConnectionArn")
        every = connections.destinations(tx, ctx.scope)
        matching = [one for one in every if one.name.startswith(prefix) and wanted in (None, one.connection)]
        found, token = page(matching, lambda one: one.name, params)
        return {"ApiDestinations": [_shown(tx, one) for one in found], **token}

    return await events.database.read(read)
