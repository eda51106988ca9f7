"""Users and groups, and who is in which.

AWS: IAM API Reference, "CreateUser", "CreateGroup", "AddUserToGroup" and their siblings.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import OperationFunction, operation
from undercast.services.iam import entities, errors, shapes, tags
from undercast.services.iam.iam import Iam, new_entity, user_or_caller
from undercast.services.iam.kinds import GROUP, USER, Kind
from undercast.services.iam.operations.roles import create, without_policies
from undercast.services.iam.pages import page
from undercast.store.database import Tx

Params = Mapping[str, Any]
GROUPS_PER_USER = 10


@operation("CreateUser")
async def create_user(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """A user has no permissions at first."""
    user = replace(
        new_entity(ctx, USER, params["UserName"], params.get("Path")), boundary_arn=params.get("PermissionsBoundary")
    )
    await create(iam, user, params.get("Tags", ()))
    return {"User": shapes.whole_user(user, params.get("Tags", ()))}


@operation("GetUser")
async def get_user(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Without a name: the user who calls, or the account's root."""

    if "UserName" not in params and ctx.principal.kind == "root":
        return {"User": shapes.entity(entities.root_user(ctx.account_id)) | {"Arn": ctx.principal.arn}}

    def get(tx: Tx) -> Params:
        user = user_or_caller(tx, ctx, params.get("UserName"))
        return {"User": shapes.whole_user(user, tags.of(tx, user.id))}

    return await iam.read(get)


def _rename(kind: Kind) -> OperationFunction:
    async def rename(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        def change(tx: Tx) -> None:
            entity = entities.find(tx, ctx.account_id, kind, params[kind.name_member])
            entities.rename(tx, entity, name=params.get(f"New{kind.name_member}"), path=params.get("NewPath"))

        await iam.write(change)
        return {}

    return rename


update_user = operation("UpdateUser")(_rename(USER))
update_group = operation("UpdateGroup")(_rename(GROUP))


@operation("DeleteUser")
async def delete_user(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Keys, policies and memberships must be gone."""

    def delete(tx: Tx) -> None:
        user = entities.find(tx, ctx.account_id, USER, params["UserName"])
        without_policies(tx, user)
        if tx.one("SELECT 1 FROM iam_access_key WHERE user_id = ? AND status <> 'Deleted'", (user.id,)):
            raise errors.delete_conflict("Cannot delete entity, must delete access keys first.")
        if entities.groups_of(tx, user):
            raise errors.delete_conflict("Cannot delete entity, must remove users from group first.")
        entities.remove(tx, user)

    await iam.write(delete)
    return {}


@operation("CreateGroup")
async def create_group(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """A group of users."""
    group = new_entity(ctx, GROUP, params["GroupName"], params.get("Path"))
    await iam.write(lambda tx: entities.add(tx, group))
    return {"Group": shapes.entity(group)}


@operation("GetGroup")
async def get_group(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """The group and, page by page, its users."""

    def get(tx: Tx) -> Params:
        group = entities.find(tx, ctx.account_id, GROUP, params["GroupName"])
        shown, rest = page(entities.members(tx, group), lambda user: user.name, params)
        return {"Group": shapes.entity(group), "Users": [shapes.entity(user) for user in shown], **rest}

    return await iam.read(get)


@operation("ListGroupsForUser")
async def list_groups_for_user(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """In order of their names."""
    groups = await iam.read(
        lambda tx: entities.groups_of(tx, entities.find(tx, ctx.account_id, USER, params["UserName"]))
    )
    shown, rest = page(groups, lambda group: group.name, params)
    return {"Groups": [shapes.entity(group) for group in shown], **rest}


@operation("DeleteGroup")
async def delete_group(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Members and policies must be gone."""

    def delete(tx: Tx) -> None:
        group = entities.find(tx, ctx.account_id, GROUP, params["GroupName"])
        if entities.members(tx, group):
            raise errors.delete_conflict("Cannot delete entity, must remove users from group first.")
        without_policies(tx, group)
        entities.remove(tx, group)

    await iam.write(delete)
    return {}


@operation("AddUserToGroup")
async def add_user_to_group(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Adding twice changes nothing."""

    def add(tx: Tx) -> None:
        group = entities.find(tx, ctx.account_id, GROUP, params["GroupName"])
        user = entities.find(tx, ctx.account_id, USER, params["UserName"])
        present = [one.id for one in entities.groups_of(tx, user)]
        if group.id in present:
            return
        if len(present) >= GROUPS_PER_USER:
            raise errors.over_quota("GroupsPerUser", GROUPS_PER_USER)
        tx.execute("INSERT INTO iam_membership VALUES (?, ?, ?)", (ctx.account_id, group.id, user.id))

    await iam.write(add)
    return {}


@operation("RemoveUserFromGroup")
async def remove_user_from_group(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """No error when the user was not in the group."""

    def remove(tx: Tx) -> None:
        group = entities.find(tx, ctx.account_id, GROUP, params["GroupName"])
        user = entities.find(tx, ctx.account_id, USER, params["UserName"])
        tx.execute("DELETE FROM iam_membership WHERE group_id = ? AND user_id = ?", (group.id, user.id))

    await iam.write(remove)
    return {}
