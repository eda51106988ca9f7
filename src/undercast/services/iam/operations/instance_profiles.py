"""Instance profiles: containers of at most one role. Nothing here runs on an instance; Terraform asks for them.

AWS: IAM API Reference, "CreateInstanceProfile" and its siblings.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import operation
from undercast.services.iam import entities, errors, shapes, tags
from undercast.services.iam.entities import Entity
from undercast.services.iam.iam import Iam
from undercast.services.iam.kinds import ROLE
from undercast.services.iam.pages import page
from undercast.store.database import Row, Tx

Params = Mapping[str, Any]


@operation("CreateInstanceProfile")
async def create_instance_profile(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Empty at first."""
    name, profile_id = params["InstanceProfileName"], "AIPA" + ctx.ids.base32(17)
    row = (ctx.account_id, name.lower(), profile_id, name, params.get("Path", "/"), ctx.clock.now(), None)

    def create(tx: Tx) -> Params:
        if _look_up(tx, ctx, name):
            raise errors.already_exists(f"Instance Profile {name} already exists.")
        tx.execute("INSERT INTO iam_instance_profile VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        tags.put(tx, ctx.account_id, profile_id, params.get("Tags", ()))
        return {"InstanceProfile": _shape(tx, find(tx, ctx, name))}

    return await iam.write(create)


@operation("GetInstanceProfile")
async def get_instance_profile(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """With its role."""
    return await iam.read(lambda tx: {"InstanceProfile": _shape(tx, find(tx, ctx, params["InstanceProfileName"]))})


@operation("ListInstanceProfiles")
async def list_instance_profiles(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """In order of their names."""

    def collect(tx: Tx) -> Params:
        rows = tx.all("SELECT * FROM iam_instance_profile WHERE account_id = ?", (ctx.account_id,))
        wanted = [row for row in rows if row["path"].startswith(params.get("PathPrefix", "/"))]
        shown, rest = page(wanted, lambda row: str(row["name"]), params)
        return {"InstanceProfiles": [_shape(tx, row) for row in shown], **rest}

    return await iam.read(collect)


@operation("ListInstanceProfilesForRole")
async def list_instance_profiles_for_role(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Terraform asks before it deletes a role."""

    def collect(tx: Tx) -> Params:
        role = entities.find(tx, ctx.account_id, ROLE, params["RoleName"])
        shown, rest = page(profiles_of(tx, role), lambda profile: str(profile["InstanceProfileName"]), params)
        return {"InstanceProfiles": shown, **rest}

    return await iam.read(collect)


@operation("AddRoleToInstanceProfile")
async def add_role_to_instance_profile(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """One role at most."""

    def add(tx: Tx) -> None:
        profile = find(tx, ctx, params["InstanceProfileName"])
        role = entities.find(tx, ctx.account_id, ROLE, params["RoleName"])
        if profile["role_id"] is not None:
            raise errors.over_quota("InstanceSessionsPerInstanceProfile", 1)
        _set_role(tx, profile, role.id)

    await iam.write(add)
    return {}


@operation("RemoveRoleFromInstanceProfile")
async def remove_role_from_instance_profile(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Raises NoSuchEntity when the role is not in it."""

    def remove(tx: Tx) -> None:
        profile = find(tx, ctx, params["InstanceProfileName"])
        role = entities.find(tx, ctx.account_id, ROLE, params["RoleName"])
        if profile["role_id"] != role.id:
            raise errors.no_such("role", role.name)
        _set_role(tx, profile, None)

    await iam.write(remove)
    return {}


@operation("DeleteInstanceProfile")
async def delete_instance_profile(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """It must be empty."""

    def delete(tx: Tx) -> None:
        profile = find(tx, ctx, params["InstanceProfileName"])
        if profile["role_id"] is not None:
            raise errors.delete_conflict("Cannot delete entity, must remove roles from instance profile first.")
        tx.execute("DELETE FROM iam_instance_profile WHERE id = ?", (profile["id"],))
        tx.execute("DELETE FROM iam_tag WHERE owner_id = ?", (profile["id"],))

    await iam.write(delete)
    return {}


def profiles_of(tx: Tx, role: Entity) -> list[dict[str, Any]]:
    """The profiles that hold a role."""
    rows = tx.all("SELECT * FROM iam_instance_profile WHERE role_id = ? ORDER BY name", (role.id,))
    return [_shape(tx, row) for row in rows]


def find(tx: Tx, ctx: RequestContext, name: str) -> Row:
    """Raises NoSuchEntity."""
    row = _look_up(tx, ctx, name)
    if row is None:
        raise errors.no_such_profile(name)
    return row


def _look_up(tx: Tx, ctx: RequestContext, name: str) -> Row | None:
    sql = "SELECT * FROM iam_instance_profile WHERE account_id = ? AND folded_name = ?"
    return tx.one(sql, (ctx.account_id, name.lower()))


def _set_role(tx: Tx, profile: Row, role_id: str | None) -> None:
    tx.execute("UPDATE iam_instance_profile SET role_id = ? WHERE id = ?", (role_id, profile["id"]))


def _shape(tx: Tx, row: Row) -> dict[str, Any]:
    role = entities.with_id(tx, row["role_id"]) if row["role_id"] else None
    shape = {
        "Path": row["path"],
        "InstanceProfileName": row["name"],
        "InstanceProfileId": row["id"],
        "Arn": f"arn:aws:iam::{row['account_id']}:instance-profile{row['path']}{row['name']}",
        "CreateDate": shapes.moment(row["created_at"]),
        "Roles": [shapes.role(role)] if role else [],
    }
    found = tags.of(tx, row["id"])
    return shape | ({"Tags": found} if found else {})
