"""Access keys of users and of the account's root.

A key that was deleted is remembered without its secret, so that it is refused and not taken for a foreign one.
AWS: IAM API Reference, "CreateAccessKey" and its siblings.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.access_keys import PERMANENT, new_access_key_id
from undercast.core.context import RequestContext
from undercast.core.service import operation
from undercast.services.iam import entities, errors, shapes
from undercast.services.iam.entities import Entity
from undercast.services.iam.iam import Iam, user_or_caller
from undercast.services.iam.pages import page
from undercast.store.database import Row, Tx

Params = Mapping[str, Any]
KEYS_PER_USER = 2


@operation("CreateAccessKey")
async def create_access_key(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """The secret is given here and never again."""
    access_key_id = new_access_key_id(PERMANENT, ctx.account_id, ctx.ids)
    secret, now = ctx.ids.alnum(40), ctx.clock.now()

    def create(tx: Tx) -> Entity:
        user = user_or_caller(tx, ctx, params.get("UserName"))
        if len(_keys(tx, user)) >= KEYS_PER_USER:
            raise errors.over_quota("AccessKeysPerUser", KEYS_PER_USER)
        row = (ctx.account_id, access_key_id, user.id, secret, "Active", now)
        tx.execute("INSERT INTO iam_access_key VALUES (?, ?, ?, ?, ?, ?)", row)
        return user

    user = await iam.write(create)
    return {
        "AccessKey": {
            "UserName": user.name,
            "AccessKeyId": access_key_id,
            "Status": "Active",
            "SecretAccessKey": secret,
            "CreateDate": shapes.moment(now),
        }
    }


@operation("ListAccessKeys")
async def list_access_keys(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Without secrets."""

    def collect(tx: Tx) -> tuple[Entity, list[Row]]:
        user = user_or_caller(tx, ctx, params.get("UserName"))
        return user, _keys(tx, user)

    user, keys = await iam.read(collect)
    shown, rest = page(keys, lambda key: str(key["access_key_id"]), params)
    metadata = [
        {
            "UserName": user.name,
            "AccessKeyId": key["access_key_id"],
            "Status": key["status"],
            "CreateDate": shapes.moment(key["created_at"]),
        }
        for key in shown
    ]
    return {"AccessKeyMetadata": metadata, **rest}


@operation("UpdateAccessKey")
async def update_access_key(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Active or Inactive."""
    await iam.write(lambda tx: _set_status(tx, ctx, params, params["Status"]))
    return {}


@operation("DeleteAccessKey")
async def delete_access_key(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """From now on the key is refused."""

    def delete(tx: Tx) -> None:
        _set_status(tx, ctx, params, "Deleted")
        tx.execute("UPDATE iam_access_key SET secret = '' WHERE access_key_id = ?", (params["AccessKeyId"],))

    await iam.write(delete)
    return {}


@operation("GetAccessKeyLastUsed")
async def get_access_key_last_used(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Exact to a minute; "N/A" for a key that was never used."""
    access_key_id = params["AccessKeyId"]

    def owner(tx: Tx) -> Entity:
        sql = "SELECT user_id FROM iam_access_key WHERE access_key_id = ? AND account_id = ? AND status <> 'Deleted'"
        row = tx.one(sql, (access_key_id, ctx.account_id))
        if row is None:
            raise errors.no_such_key(access_key_id)
        return entities.with_id(tx, row["user_id"]) or entities.root_user(ctx.account_id)

    user = await iam.read(owner)
    use = await iam.journal.read(
        lambda tx: tx.one("SELECT * FROM iam_key_use WHERE access_key_id = ?", (access_key_id,))
    )
    last: dict[str, Any] = {"ServiceName": "N/A", "Region": "N/A"}
    if use is not None:
        used_at = shapes.moment(use["used_at"])
        last = {"LastUsedDate": used_at, "ServiceName": use["service"], "Region": use["region"]}
    return {"UserName": user.name, "AccessKeyLastUsed": last}


def _keys(tx: Tx, user: Entity) -> list[Row]:
    return tx.all("SELECT * FROM iam_access_key WHERE user_id = ? AND status <> 'Deleted'", (user.id,))


def _set_status(tx: Tx, ctx: RequestContext, params: Params, status: str) -> None:
    user = user_or_caller(tx, ctx, params.get("UserName"))
    sql = "UPDATE iam_access_key SET status = ? WHERE access_key_id = ? AND user_id = ? AND status <> 'Deleted'"
    if not tx.execute(sql, (status, params["AccessKeyId"], user.id)):
        raise errors.no_such_key(params["AccessKeyId"])
