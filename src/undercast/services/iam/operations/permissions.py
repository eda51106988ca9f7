"""Inline and attached policies and boundaries of roles, users and groups: the same operations for each kind.

AWS: IAM API Reference, "PutRolePolicy", "AttachRolePolicy", "PutRolePermissionsBoundary" and their siblings.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import OperationFunction, operation
from undercast.services.iam import entities, policies, shapes
from undercast.services.iam.entities import Entity
from undercast.services.iam.iam import Iam, checked
from undercast.services.iam.kinds import GROUP, ROLE, USER, Kind
from undercast.services.iam.operations.roles import modifiable
from undercast.services.iam.pages import page
from undercast.store.database import Tx

Params = Mapping[str, Any]


def _owner(tx: Tx, ctx: RequestContext, kind: Kind, params: Params) -> Entity:
    """The entity whose policies are to be changed."""
    name = params[kind.name_member]
    return modifiable(tx, ctx, name) if kind is ROLE else entities.find(tx, ctx.account_id, kind, name)


def _put(kind: Kind) -> OperationFunction:
    async def put(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        document = checked(params["PolicyDocument"], "inline")
        await iam.write(
            lambda tx: policies.put_inline(tx, _owner(tx, ctx, kind, params), params["PolicyName"], document)
        )
        return {}

    return put


def _get(kind: Kind) -> OperationFunction:
    async def get(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        def find(tx: Tx) -> Params:
            owner = entities.find(tx, ctx.account_id, kind, params[kind.name_member])
            document = policies.find_inline(tx, owner, params["PolicyName"])
            return {
                kind.name_member: owner.name,
                "PolicyName": params["PolicyName"],
                "PolicyDocument": shapes.encoded(document),
            }

        return await iam.read(find)

    return get


def _list(kind: Kind) -> OperationFunction:
    async def list_names(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        names = await iam.read(
            lambda tx: policies.inline(tx, entities.find(tx, ctx.account_id, kind, params[kind.name_member]).id)
        )
        shown, rest = page(list(names), str, params)
        return {"PolicyNames": shown, **rest}

    return list_names


def _delete(kind: Kind) -> OperationFunction:
    async def delete(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        await iam.write(lambda tx: policies.remove_inline(tx, _owner(tx, ctx, kind, params), params["PolicyName"]))
        return {}

    return delete


def _attach(kind: Kind) -> OperationFunction:
    async def attach(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        def change(tx: Tx) -> None:
            owner = _owner(tx, ctx, kind, params)
            iam.attachable(tx, ctx.account_id, params["PolicyArn"])
            policies.attach(tx, owner, params["PolicyArn"])

        await iam.write(change)
        return {}

    return attach


def _detach(kind: Kind) -> OperationFunction:
    async def detach(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        await iam.write(lambda tx: policies.detach(tx, _owner(tx, ctx, kind, params), params["PolicyArn"]))
        return {}

    return detach


def _list_attached(kind: Kind) -> OperationFunction:
    async def list_attached(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        arns = await iam.read(
            lambda tx: policies.attached(tx, entities.find(tx, ctx.account_id, kind, params[kind.name_member]).id)
        )
        prefix = params.get("PathPrefix", "/")
        wanted = [arn for arn in arns if arn.partition(":policy")[2].startswith(prefix)]
        shown, rest = page(wanted, _name, params)
        return {"AttachedPolicies": [{"PolicyName": _name(arn), "PolicyArn": arn} for arn in shown], **rest}

    return list_attached


def _put_boundary(kind: Kind) -> OperationFunction:
    async def put(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        def change(tx: Tx) -> None:
            iam.boundary(tx, ctx.account_id, params["PermissionsBoundary"])
            entities.save(tx, replace(_owner(tx, ctx, kind, params), boundary_arn=params["PermissionsBoundary"]))

        await iam.write(change)
        return {}

    return put


def _delete_boundary(kind: Kind) -> OperationFunction:
    """No error when there is none."""

    async def delete(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        await iam.write(lambda tx: entities.save(tx, replace(_owner(tx, ctx, kind, params), boundary_arn=None)))
        return {}

    return delete


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


put_role_policy = operation("PutRolePolicy")(_put(ROLE))
put_user_policy = operation("PutUserPolicy")(_put(USER))
put_group_policy = operation("PutGroupPolicy")(_put(GROUP))
get_role_policy = operation("GetRolePolicy")(_get(ROLE))
get_user_policy = operation("GetUserPolicy")(_get(USER))
get_group_policy = operation("GetGroupPolicy")(_get(GROUP))
list_role_policies = operation("ListRolePolicies")(_list(ROLE))
list_user_policies = operation("ListUserPolicies")(_list(USER))
list_group_policies = operation("ListGroupPolicies")(_list(GROUP))
delete_role_policy = operation("DeleteRolePolicy")(_delete(ROLE))
delete_user_policy = operation("DeleteUserPolicy")(_delete(USER))
delete_group_policy = operation("DeleteGroupPolicy")(_delete(GROUP))
attach_role_policy = operation("AttachRolePolicy")(_attach(ROLE))
attach_user_policy = operation("AttachUserPolicy")(_attach(USER))
attach_group_policy = operation("AttachGroupPolicy")(_attach(GROUP))
detach_role_policy = operation("DetachRolePolicy")(_detach(ROLE))
detach_user_policy = operation("DetachUserPolicy")(_detach(USER))
detach_group_policy = operation("DetachGroupPolicy")(_detach(GROUP))
list_attached_role_policies = operation("ListAttachedRolePolicies")(_list_attached(ROLE))
list_attached_user_policies = operation("ListAttachedUserPolicies")(_list_attached(USER))
list_attached_group_policies = operation("ListAttachedGroupPolicies")(_list_attached(GROUP))
put_role_permissions_boundary = operation("PutRolePermissionsBoundary")(_put_boundary(ROLE))
put_user_permissions_boundary = operation("PutUserPermissionsBoundary")(_put_boundary(USER))
delete_role_permissions_boundary = operation("DeleteRolePermissionsBoundary")(_delete_boundary(ROLE))
delete_user_permissions_boundary = operation("DeleteUserPermissionsBoundary")(_delete_boundary(USER))
