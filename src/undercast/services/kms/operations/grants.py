"""Grants: create, list, retire, revoke.

AWS: KMS API Reference, the operations of these names; Developer Guide, "Grants in AWS KMS".
"""

import re
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, access_denied, refused_member
from undercast.core.service import Params, operation
from undercast.services.kms import store
from undercast.services.kms.errors import invalid, no_such_principal
from undercast.services.kms.instance import Kms, current
from undercast.services.kms.models import Grant, Key
from undercast.services.kms.operations.encryption import dry_run
from undercast.services.kms.pages import page, position
from undercast.services.kms.specs import SYMMETRIC, grant_operations
from undercast.store.database import Tx

DEFAULT_PAGE = 50
# CreateGrant, Constraints.
MAX_PAIRS, MAX_VALUE = 8, 384
# CreateGrant, GranteePrincipal: accounts, users, roles, federated users, assumed-role users.
_PRINCIPAL = re.compile(r"arn:aws:(iam|sts)::\d{12}:(root|user/.+|role/.+|federated-user/.+|assumed-role/.+)")


@operation("CreateGrant")
async def create_grant(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Let a principal use the key; the same grant by name once."""
    key = await kms.key(ctx, params["KeyId"])
    key.require_usable()
    grantee = params.get("GranteePrincipal")
    if not grantee:
        raise invalid("GranteePrincipal is required.")
    if (params.get("Constraints") or {}).get("SourceArn"):
        reason = "no request says on behalf of which resource a service makes it"
        raise refused_member("CreateGrant", "Constraints.SourceArn", reason)
    _check(key, params)
    dry_run(params)
    grant = Grant(
        scope=key.scope,
        id=ctx.ids.hex(64),
        key_id=key.id,
        token=ctx.ids.hex(128),
        name=params.get("Name", ""),
        grantee=grantee,
        retiring=params.get("RetiringPrincipal", ""),
        operations=tuple(params["Operations"]),
        constraints=dict(params.get("Constraints") or {}),
        created_at=ctx.clock.now(),
    )

    def write(tx: Tx) -> Grant:
        current(tx, key).require_usable()
        for known in store.grants_to(tx, key.id, (grant.grantee,)) if grant.name else ():
            if _content(known) == _content(grant):
                return known
        store.add_grant(tx, grant)
        return grant

    made = await kms.database.write(write)
    return {"GrantToken": made.token, "GrantId": made.id}


def _check(key: Key, params: Params) -> None:
    """Raises for principals that cannot be, and for what such a key cannot do."""
    for principal in (params["GranteePrincipal"], params.get("RetiringPrincipal")):
        if principal and not _PRINCIPAL.fullmatch(principal):
            raise no_such_principal(principal)
    unknown = sorted(set(params["Operations"]) - grant_operations(key.spec, key.usage))
    if unknown:
        raise invalid(f"A grant on {key.arn}, a {key.spec} key for {key.usage}, cannot allow {', '.join(unknown)}.")
    constraints = params.get("Constraints") or {}
    if key.spec != SYMMETRIC and constraints:
        raise invalid(f"A grant on {key.arn}, a {key.spec} key, cannot have an encryption context constraint.")
    for name, pairs in constraints.items():
        if len(pairs) > MAX_PAIRS:
            raise invalid(
                f"{name} has {len(pairs)} encryption context pairs; a grant constraint has up to {MAX_PAIRS}."
            )
        if (longest := max(map(len, pairs.values()), default=0)) > MAX_VALUE:
            raise invalid(f"{name} has a value of {longest} characters; a grant constraint's have up to {MAX_VALUE}.")


def _content(grant: Grant) -> tuple[Any, ...]:
    return (grant.name, grant.grantee, grant.retiring, grant.operations, dict(grant.constraints))


@operation("ListGrants")
async def list_grants(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A key's grants, all or those of a grantee."""
    key, limit, after = await kms.key(ctx, params["KeyId"]), params.get("Limit", DEFAULT_PAGE), position(params)
    wanted, grantee = params.get("GrantId"), params.get("GranteePrincipal")

    def find(tx: Tx) -> list[Grant]:
        if wanted is not None:
            found = store.grant(tx, key.id, wanted)
            return [found] if found is not None and grantee in (None, found.grantee) else []
        if grantee is not None:
            return store.grants_to(tx, key.id, (grantee,), after, limit + 1)
        return store.grants_of(tx, key.id, after, limit + 1)

    return page("Grants", await kms.database.read(find), limit, lambda grant: grant.id, Grant.output)


@operation("ListRetirableGrants")
async def list_retirable_grants(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The grants that a principal may retire."""
    limit, after = params.get("Limit", DEFAULT_PAGE), position(params)
    retiring = params.get("RetiringPrincipal")
    if not retiring:
        raise invalid("RetiringPrincipal is required.")
    found = await kms.database.read(lambda tx: store.grants_retired_by(tx, ctx.scope, retiring, after, limit + 1))
    return page("Grants", found, limit, lambda grant: grant.id, Grant.output)


@operation("RevokeGrant")
async def revoke_grant(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """Take a grant away."""
    key = await kms.key(ctx, params["KeyId"])
    dry_run(params)

    def write(tx: Tx) -> None:
        if store.grant(tx, key.id, params["GrantId"]) is None:
            raise ServiceError("NotFoundException", f"Grant ID {params['GrantId']} not found")
        store.delete_grant(tx, params["GrantId"])

    await kms.database.write(write)


@operation("RetireGrant")
async def retire_grant(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """Give a grant back: its retiring principal, its grantee where the grant lets it, or the account."""
    grant = await _named(kms, ctx, params)
    principal = ctx.principal
    mine = {principal.arn, principal.role_arn}
    may = (
        grant.retiring in mine
        or (grant.grantee in mine and "RetireGrant" in grant.operations)
        or (principal.kind == "root" and principal.account_id == grant.scope.account_id)
    )
    if not may:
        raise access_denied(principal.arn, "kms:RetireGrant", grant.id, "")
    dry_run(params)
    await kms.database.write(lambda tx: store.delete_grant(tx, grant.id))


async def _named(kms: Kms, ctx: RequestContext, params: Params) -> Grant:
    if params.get("GrantToken"):
        found = await kms.database.read(lambda tx: store.grant_by_token(tx, params["GrantToken"]))
        if found is None:
            raise ServiceError("InvalidGrantTokenException", "The grant token is invalid.")
        return found
    if not params.get("GrantId") or not params.get("KeyId"):
        raise invalid("Either GrantToken, or GrantId and KeyId, must be given.")
    key = await kms.key(ctx, params["KeyId"])
    grant = await kms.database.read(lambda tx: store.grant(tx, key.id, params["GrantId"]))
    if grant is None:
        raise ServiceError("NotFoundException", f"Grant ID {params['GrantId']} not found")
    return grant
