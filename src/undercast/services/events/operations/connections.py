"""Connections: make, change, deauthorise, show, delete.

AWS: EventBridge API Reference, the operations of these names.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import Params, operation
from undercast.services.events import connections
from undercast.services.events.connections import AUTHORIZED, DEAUTHORIZED, Connection, without_secrets
from undercast.services.events.errors import exists, invalid
from undercast.services.events.instance import Events
from undercast.services.events.pages import page
from undercast.store.database import Tx

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
    if any(one.name == name for one in await events.database.read(lambda tx: connections.connections(tx, ctx.scope))):
        raise exists(f"Connection {name} already exists.")
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
    await events.database.write(lambda tx: connections.put_connection(tx, one))
    return {key: value for key, value in one.times().items() if key != "LastAuthorizedTime"}


async def _new_secret(ctx: RequestContext, name: str, auth: Mapping[str, Any], params: Params) -> str:
    secret: dict[str, Any] = {"Name": name, "SecretString": json.dumps(auth)}
    if params.get("KmsKeyIdentifier"):
        secret["KmsKeyId"] = params["KmsKeyIdentifier"]
    return str((await ctx.call("secretsmanager", "CreateSecret", secret))["ARN"])


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
    """What is given replaces what was there; new parameters authorise it again."""
    old = await events.database.read(lambda tx: connections.connection(tx, ctx.scope, params["Name"]))
    kind, now = params.get("AuthorizationType") or old.kind, ctx.clock.now()
    changed = replace(
        old,
        kind=kind,
        changed_at=now,
        description=params.get("Description", old.description),
        from_sandbox=old.from_sandbox or ctx.cause.kind != "external",
        made_by=old.made_by if ctx.cause.kind == "external" else ctx.principal.role_arn or ctx.principal.arn,
    )
    if params.get("AuthParameters"):
        auth = _checked(kind, params["AuthParameters"])
        await _drop_secret(ctx, old.secret_arn)
        secret = await _new_secret(ctx, f"events!connection/{old.name}/{ctx.ids.uuid()}", auth, params)
        changed = replace(
            changed, shown=without_secrets(auth), secret_arn=secret, state=AUTHORIZED, authorized_at=now,
            kms_key_id=params.get("KmsKeyIdentifier") or "",
        )  # fmt: skip
    elif kind != old.kind:
        raise invalid(f"Parameter(s) {_PARAMETERS[kind]} must be specified for Authorization Type {kind}.")
    await events.database.write(lambda tx: connections.put_connection(tx, changed))
    return changed.times()


@operation("DeauthorizeConnection")
async def deauthorize_connection(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Its parameters and its secret are gone."""
    old = await events.database.read(lambda tx: connections.connection(tx, ctx.scope, params["Name"]))
    await _drop_secret(ctx, old.secret_arn)
    changed = replace(old, state=DEAUTHORIZED, secret_arn="", shown={}, changed_at=ctx.clock.now())
    await events.database.write(lambda tx: connections.put_connection(tx, changed))
    return changed.times()


@operation("DeleteConnection")
async def delete_connection(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """With its secret. API destinations that use it become inactive."""
    old = await events.database.read(lambda tx: connections.connection(tx, ctx.scope, params["Name"]))
    await _drop_secret(ctx, old.secret_arn)
    await events.database.write(lambda tx: connections.remove(tx, "connection", ctx.scope, old.name))
    return replace(old, state="DELETING").times()


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
