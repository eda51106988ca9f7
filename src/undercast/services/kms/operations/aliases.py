"""Aliases: create, move, delete, list.

AWS: KMS API Reference, the operations of these names; Developer Guide, "Aliases in AWS KMS".
"""

import re
from typing import Any

from undercast.core.arn import Arn
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.kms import store
from undercast.services.kms.errors import invalid, invalid_state, no_alias, no_key
from undercast.services.kms.instance import Kms, current
from undercast.services.kms.models import PENDING_DELETION, Key, Named, parse_name
from undercast.services.kms.pages import page, position
from undercast.store.database import Row, Tx

DEFAULT_PAGE = 50
_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]+")


@operation("CreateAlias")
async def create_alias(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """A new name for a key of this account and region."""
    name, key = _checked(params["AliasName"]), await _target(kms, ctx, params)

    def write(tx: Tx) -> None:
        if current(tx, key).state == PENDING_DELETION:
            raise invalid_state(key.arn, "pending deletion")
        if store.has_alias(tx, ctx.scope, name):
            arn = Arn.of(ctx.scope, "kms", name)
            raise ServiceError("AlreadyExistsException", f"An alias with the name {arn} already exists")
        store.set_alias(tx, ctx.scope, name, key.id, ctx.clock.now())

    await kms.database.write(write)


@operation("UpdateAlias")
async def update_alias(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """Point the name to another key of the same kind."""
    name, key = _checked(params["AliasName"]), await _target(kms, ctx, params)

    def write(tx: Tx) -> None:
        now = store.find(tx, Named(scope=ctx.scope, alias=name))
        if now is None:
            raise no_alias(str(Arn.of(ctx.scope, "kms", name)))
        new = current(tx, key)
        if now.usage != new.usage or (now.spec != new.spec and "SYMMETRIC_DEFAULT" in (now.spec, new.spec)):
            text = "The current and new KMS keys must be the same type and key usage."
            raise ServiceError("ValidationException", text)
        store.set_alias(tx, ctx.scope, name, key.id, ctx.clock.now())

    await kms.database.write(write)


async def _target(kms: Kms, ctx: RequestContext, params: Params) -> Key:
    """Raises NotFoundException and ValidationException.

    AWS: KMS API Reference, CreateAlias: id or ARN of a key in the alias' account and region; the text is the service's.
    """
    if parse_name(params["TargetKeyId"], ctx.scope).alias:
        raise invalid("Aliases must refer to keys. Not aliases")
    key = await kms.key(ctx, params["TargetKeyId"])
    if key.scope != ctx.scope:
        raise no_key(str(Arn.of(ctx.scope, "kms", f"key/{key.id}")))
    return key


@operation("DeleteAlias")
async def delete_alias(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """The name is gone; the key stays."""
    name = _checked(params["AliasName"])
    if not await kms.database.write(lambda tx: store.delete_alias(tx, ctx.scope, name)):
        raise no_alias(str(Arn.of(ctx.scope, "kms", name)))


@operation("ListAliases")
async def list_aliases(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Names, all or those of a key."""
    limit, after = params.get("Limit", DEFAULT_PAGE), position(params)
    key_id = (await kms.key(ctx, params["KeyId"])).id if params.get("KeyId") else ""
    found = await kms.database.read(lambda tx: store.aliases(tx, ctx.scope, key_id, after, limit + 1))

    def entry(row: Row) -> dict[str, Any]:
        return {
            "AliasName": row["name"],
            "AliasArn": str(Arn.of(ctx.scope, "kms", row["name"])),
            "TargetKeyId": row["key_id"],
            "CreationDate": moment(row["created_at"]),
            "LastUpdatedDate": moment(row["updated_at"]),
        }

    return page("Aliases", found, limit, lambda row: str(row["name"]), entry)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        text = "Alias must start with the prefix \"alias/\" and may contain only alphanumerics, '/', '_' and '-'."
        raise ServiceError("InvalidAliasNameException", text)
    if name.startswith("alias/aws/"):
        raise ServiceError("InvalidAliasNameException", "The alias/aws/ prefix is reserved for AWS managed keys.")
    return name
