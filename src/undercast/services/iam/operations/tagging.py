"""Tags of roles, users, policies and instance profiles: the same three operations for each.

AWS: IAM API Reference, "TagRole", "UntagRole", "ListRoleTags" and their siblings.
"""

from collections.abc import Callable, Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import OperationFunction, operation
from undercast.services.iam import entities, errors, policies, tags
from undercast.services.iam.iam import Iam
from undercast.services.iam.kinds import ROLE, USER
from undercast.services.iam.operations.instance_profiles import find as find_profile
from undercast.services.iam.pages import page
from undercast.store.database import Tx

Params = Mapping[str, Any]
OwnerId = Callable[[Tx, RequestContext, Params], str]
"""The unique id of what is tagged. Raises NoSuchEntity."""


def _role(tx: Tx, ctx: RequestContext, params: Params) -> str:
    return entities.find(tx, ctx.account_id, ROLE, params["RoleName"]).id


def _user(tx: Tx, ctx: RequestContext, params: Params) -> str:
    return entities.find(tx, ctx.account_id, USER, params["UserName"]).id


def _policy(tx: Tx, ctx: RequestContext, params: Params) -> str:
    policy = policies.look_up(tx, ctx.account_id, params["PolicyArn"])
    if policy is None:
        raise errors.no_such_policy(params["PolicyArn"])
    return policy.id


def _instance_profile(tx: Tx, ctx: RequestContext, params: Params) -> str:
    return str(find_profile(tx, ctx, params["InstanceProfileName"])["id"])


def _tag(owner_id: OwnerId) -> OperationFunction:
    async def tag(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        await iam.write(lambda tx: tags.put(tx, ctx.account_id, owner_id(tx, ctx, params), params["Tags"]))
        return {}

    return tag


def _untag(owner_id: OwnerId) -> OperationFunction:
    async def untag(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        await iam.write(lambda tx: tags.remove(tx, owner_id(tx, ctx, params), params["TagKeys"]))
        return {}

    return untag


def _list(owner_id: OwnerId) -> OperationFunction:
    async def list_tags(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        found = await iam.read(lambda tx: tags.of(tx, owner_id(tx, ctx, params)))
        shown, rest = page(found, lambda tag: tag["Key"], params)
        return {"Tags": shown, **rest}

    return list_tags


tag_role = operation("TagRole")(_tag(_role))
tag_user = operation("TagUser")(_tag(_user))
tag_policy = operation("TagPolicy")(_tag(_policy))
tag_instance_profile = operation("TagInstanceProfile")(_tag(_instance_profile))
untag_role = operation("UntagRole")(_untag(_role))
untag_user = operation("UntagUser")(_untag(_user))
untag_policy = operation("UntagPolicy")(_untag(_policy))
untag_instance_profile = operation("UntagInstanceProfile")(_untag(_instance_profile))
list_role_tags = operation("ListRoleTags")(_list(_role))
list_user_tags = operation("ListUserTags")(_list(_user))
list_policy_tags = operation("ListPolicyTags")(_list(_policy))
list_instance_profile_tags = operation("ListInstanceProfileTags")(_list(_instance_profile))
