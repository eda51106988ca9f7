"""Connections: make, change, deauthorise, show, delete.

AWS: EventBridge API Reference, the operations of these names.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.identity import platform_principal
from undercast.core.service import Params, operation
from undercast.services.events import connections
from undercast.services.events.connections import AUTHORIZED, DEAUTHORIZED, Connection, without_secrets
from undercast.services.events.errors import exists, invalid
from undercast.services.events.instance import Events
from undercast.services.events.pages import page
from undercast.store.database import Tx

log = logging.getLogger(__name__)
T = TypeVar("T")
_PARAMETERS = {
    "BASIC": "BasicAuthParameters",
    "API_KEY": "ApiKeyAuthParameters",
    "OAUTH_CLIENT_CREDENTIALS": "OAuthParameters",
}


def _checked(kind: str, auth: Mapping[str, Any]) -> Mapping[str, Any]:
    wanted = _PARAMETERS[kind]
    if "ConnectivityParameters" in auth:
        raise refused_member(
            "CreateConnection", "AuthParameters.ConnectivityParameters", "there are no private APIs here"
        )
    given = [name for name in _PARAMETERS.values() if auth.get(name)]
    if given != [wanted]:
        raise invalid(f"Parameter(s) {wanted} must be specified for Authorization Type {kind}.")
    return auth


@operation("CreateConnection")
async def create_connection(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A connection and, in the caller's name, its secret."""
    name, kind, now = params["Name"], params["AuthorizationType"], ctx.clock.now()
    auth = _checked(kind, params["AuthParameters"])
    await events.database.read(lambda tx: _check_free(tx, ctx, name))
    identifier = ctx.ids.uuid()
    one = Connection(
        scope=ctx.scope,
        name=name,
        id=identifier,
        description=params.get("Description"),
        kind=kind,
        shown=without_secrets(auth),
        state=AUTHORIZED,
        secret_arn=await _new_secret(ctx, f"events!connection/{name}/{identifier}", auth, params),
        kms_key_id=params.get("KmsKeyIdentifier") or "",
        from_sandbox=ctx.cause.kind != "external",
        made_by=ctx.principal.role_arn or ctx.principal.arn,
        created_at=now,
        changed_at=now,
        authorized_at=now,
    )

    def write(tx: Tx) -> None:
        _check_free(tx, ctx, name)
        connections.put_connection(tx, one)

    await _write_with(events, ctx, one.secret_arn, write)
    return {key: value for key, value in one.times().items() if key != "LastAuthorizedTime"}


def _check_free(tx: Tx, ctx: RequestContext, name: str) -> None:
    if connections.find_connection(tx, ctx.scope, name) is not None:
        raise exists(f"Connection {name} already exists.")


async def _new_secret(ctx: RequestContext, name: str, auth: Mapping[str, Any], params: Params) -> str:
    secret: dict[str, Any] = {"Name": name, "SecretString": json.dumps(auth)}
    if params.get("KmsKeyIdentifier"):
        secret["KmsKeyId"] = params["KmsKeyIdentifier"]
    return str((await ctx.call("secretsmanager", "CreateSecret", secret))["ARN"])


async def _write_with(events: Events, ctx: RequestContext, secret_arn: str, write: Callable[[Tx], T]) -> T:
    """Write a row that has a new secret; where it is refused, nothing is left of the secret."""
    try:
        return await events.database.write(write)
    except ServiceError:
        await _forget_secret(ctx, secret_arn)
        raise


async def _forget_secret(ctx: RequestContext, arn: str) -> None:
    """No connection has it any more. That is the service's own affair: the caller need not be let delete secrets.

    One that cannot be deleted, for it has replicas, stays.
    """
    try:
        await _drop_secret(replace(ctx, principal=platform_principal(ctx.account_id)), arn)
    except ServiceError as error:
        log.warning("the secret %s of no connection stays: %s", arn, error)


async def _drop_secret(ctx: RequestContext, arn: str) -> None:
    if not arn:
        return
    try:
        await ctx.call("secretsmanager", "DeleteSecret", {"SecretId": arn, "ForceDeleteWithoutRecovery": True})
    except ServiceError as error:
        if error.code != "ResourceNotFoundException":
            raise


@operation("UpdateConnection")
async def update_connection(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What is given replaces what was there; new parameters authorise it again.

    The secret before is sent until the row has the new one: an update that is refused changes nothing.
    """
    old = await events.database.read(lambda tx: connections.connection(tx, ctx.scope, params["Name"]))
    secret = ""
    if _auth_of(old, params):
        auth = params["AuthParameters"]
        secret = await _new_secret(ctx, f"events!connection/{old.name}/{ctx.ids.uuid()}", auth, params)

    def write(tx: Tx) -> tuple[Connection, Connection]:
        current = connections.connection(tx, ctx.scope, params["Name"])
        changed = _changed(ctx, current, params, secret)
        connections.put_connection(tx, changed)
        return current, changed

    before, changed = await _write_with(events, ctx, secret, write)
    if secret:
        await _forget_secret(ctx, before.secret_arn)
    return changed.times()


def _auth_of(one: Connection, params: Params) -> Mapping[str, Any]:
    """The AuthParameters that an update gives; none where it gives none and needs none. Raises ValidationException."""
    kind = params.get("AuthorizationType") or one.kind
    if params.get("AuthParameters"):
        return _checked(kind, params["AuthParameters"])
    if kind != one.kind:
        raise invalid(f"Parameter(s) {_PARAMETERS[kind]} must be specified for Authorization Type {kind}.")
    return {}


def _changed(ctx: RequestContext, one: Connection, params: Params, secret_arn: str) -> Connection:
    now, auth = ctx.clock.now(), _auth_of(one, params)
    changed = replace(
        one,
        kind=params.get("AuthorizationType") or one.kind,
        changed_at=now,
        description=params.get("Description", one.description),
        from_sandbox=one.from_sandbox or ctx.cause.kind != "external",
        made_by=one.made_by if ctx.cause.kind == "external" else ctx.principal.role_arn or ctx.principal.arn,
    )
    if not auth:
        return changed
    return replace(
        changed, shown=without_secrets(auth), secret_arn=secret_arn, state=AUTHORIZED, authorized_at=now,
        kms_key_id=params.get("KmsKeyIdentifier") or "",
    )  # fmt: skip


@operation("DeauthorizeConnection")
async def deauthorize_connection(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Its parameters and its secret are gone."""

    def end(tx: Tx, one: Connection) -> Connection:
        changed = replace(one, state=DEAUTHORIZED, secret_arn="", shown={}, changed_at=ctx.clock.now())
        connections.put_connection(tx, changed)
        return changed

    return (await _end(events, ctx, params["Name"], end)).times()


@operation("DeleteConnection")
async def delete_connection(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """With its secret. API destinations that use it become inactive."""

    def end(tx: Tx, one: Connection) -> Connection:
        connections.remove(tx, "connection", one.scope, one.name)
        return replace(one, state="DELETING")

    return (await _end(events, ctx, params["Name"], end)).times()


async def _end(
    events: Events, ctx: RequestContext, name: str, end: Callable[[Tx, Connection], Connection]
) -> Connection:
    """Drop its secret in the caller's name, which may be refused, then change its row."""
    one = await events.database.read(lambda tx: connections.connection(tx, ctx.scope, name))
    ended = None
    while ended is None:  # each turn but the last is an update's, which gave it another secret meanwhile
        await _drop_secret(ctx, one.secret_arn)
        one, ended = await events.database.write(partial(_end_this, one, end))
    return ended


def _end_this(
    one: Connection, end: Callable[[Tx, Connection], Connection], tx: Tx
) -> tuple[Connection, Connection | None]:
    """The row as it is now, and what becomes of it; None while its secret is not the one that was dropped."""
    current = connections.connection(tx, one.scope, one.name)
    if current.id != one.id:
        raise connections.no_connection(one.name)
    return current, end(tx, current) if current.secret_arn == one.secret_arn else None


@operation("DescribeConnection")
async def describe_connection(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Without what is secret."""
    one = await events.database.read(lambda tx: connections.connection(tx, ctx.scope, params["Name"]))
    found = {**_listed(one), "AuthParameters": dict(one.shown)}
    for name, value in (
        ("Description", one.description), ("SecretArn", one.secret_arn), ("KmsKeyIdentifier", one.kms_key_id),
    ):  # fmt: skip
        if value:
            found[name] = value
    return found


def _listed(one: Connection) -> dict[str, Any]:
    return {"Name": one.name, "AuthorizationType": one.kind, **one.times()}


@operation("ListConnections")
async def list_connections(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name and state."""

    def read(tx: Tx) -> list[Connection]:
        prefix, state = params.get("NamePrefix") or "", params.get("ConnectionState")
        every = connections.connections(tx, ctx.scope)
        return [one for one in every if one.name.startswith(prefix) and state in (None, one.state)]

    found, token = page(await events.database.read(read), lambda one: one.name, params)
    return {"Connections": [_listed(one) for one in found], **token}
