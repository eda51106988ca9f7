"""What each IAM operation needs: its action, on the ARN that the request names.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for AWS Identity and Access Management".
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from undercast.core.arn import AccountId
from undercast.core.context import RequestContext
from undercast.core.service import Access
from undercast.services.iam import entities, tags
from undercast.services.iam.iam import Iam
from undercast.services.iam.kinds import GROUP, ROLE, USER, Kind
from undercast.services.roles import passed_role
from undercast.store.database import Tx

Params = Mapping[str, Any]
_TRUSTS_ANYBODY: Mapping[str, Any] = MappingProxyType(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
)
_BY_BOUNDARY = frozenset(
    f"{verb}{kind}{what}"
    for kind in ("User", "Role")
    for verb, what in (
        ("Attach", "Policy"),
        ("Detach", "Policy"),
        ("Put", "Policy"),
        ("Delete", "Policy"),
        ("Delete", "PermissionsBoundary"),
    )
)
"""Where iam:PermissionsBoundary is what the user or role has. IAM User Guide, "Delegating responsibility to others
using permissions boundaries"."""
_ON_THE_CALLER = frozenset({"GetUser", "CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey"})


async def access(iam: Iam, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `Manifest.access`."""
    resource = await _resource(iam, ctx, operation, params)
    conditions = _conditions(params) | await iam.read(lambda tx: _of_entity(tx, ctx, operation, params))
    needs = Access(
        action=f"iam:{operation}",
        resource=resource,
        conditions=conditions,
        resource_account_id=_owner(resource),
    )
    if operation != "AddRoleToInstanceProfile":
        return (needs,)
    role = await _arn(iam, ctx, ROLE, params["RoleName"], None)
    return (needs, passed_role(ctx, role, "ec2.amazonaws.com"))


async def _resource(iam: Iam, ctx: RequestContext, operation: str, params: Params) -> str:
    if "InstanceProfileName" in params:
        return f"arn:aws:iam::{ctx.account_id}:instance-profile{params.get('Path', '/')}{params['InstanceProfileName']}"
    for kind in (GROUP, ROLE, USER):  # the group first: AddUserToGroup is an action on the group
        if kind.name_member in params:
            return await _arn(iam, ctx, kind, params[kind.name_member], params.get("Path"))
    if "PolicyArn" in params:
        return str(params["PolicyArn"])
    if "PolicyName" in params:
        return f"arn:aws:iam::{ctx.account_id}:policy{params.get('Path', '/')}{params['PolicyName']}"
    if operation == "SimulatePrincipalPolicy":
        return str(params["PolicySourceArn"])
    if operation in _ON_THE_CALLER and ctx.principal.kind == "user":
        return ctx.principal.arn
    return "*"


def _owner(resource: str) -> str | None:
    """None for what is nobody's. AWS's own policies, "arn:aws:iam::aws:policy/...", let everybody in."""
    fields = resource.split(":", 5)
    return fields[4] if len(fields) == 6 and fields[4] not in ("", "aws") else None


async def _arn(iam: Iam, ctx: RequestContext, kind: Kind, name: str, path: str | None) -> str:
    """With the path of the entity that exists, else with the one that the request gives."""
    found = await iam.read(lambda tx: entities.look_up(tx, ctx.account_id, kind, name))
    return found.arn if found else f"arn:aws:iam::{ctx.account_id}:{kind.name}{path or '/'}{name}"


def _conditions(params: Params) -> dict[str, str | tuple[str, ...]]:
    keys: dict[str, str | tuple[str, ...]] = {}
    if "PolicyArn" in params:
        keys["iam:PolicyARN"] = params["PolicyArn"]
    if "PermissionsBoundary" in params:
        keys["iam:PermissionsBoundary"] = params["PermissionsBoundary"]
    if "AWSServiceName" in params:
        keys["iam:AWSServiceName"] = params["AWSServiceName"]
    tag_keys = [tag["Key"] for tag in params.get("Tags", ())] or list(params.get("TagKeys", ()))
    if tag_keys:
        keys["aws:TagKeys"] = tuple(tag_keys)
    keys.update({f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in params.get("Tags", ())})
    return keys


def _of_entity(tx: Tx, ctx: RequestContext, operation: str, params: Params) -> dict[str, str]:
    """The condition keys that the user or role has which is acted upon."""
    kind = next((kind for kind in (ROLE, USER) if kind.name_member in params), None)
    if kind is None or GROUP.name_member in params or "InstanceProfileName" in params:
        return {}
    entity = entities.look_up(tx, ctx.account_id, kind, params[kind.name_member])
    if entity is None:
        return {}
    found = {f"iam:ResourceTag/{tag['Key']}": tag["Value"] for tag in tags.of(tx, entity.id)}
    if operation in _BY_BOUNDARY and entity.boundary_arn is not None:
        found["iam:PermissionsBoundary"] = entity.boundary_arn
    return found


async def policy_of(iam: Iam, resource_arn: str) -> Mapping[str, Any] | None:
    """The trust policy of a role; see `Manifest.policy_of`.

    A role that IAM does not know trusts who asks, unless `--iam strict`, as in STS.
    """
    fields = resource_arn.split(":", 5)
    if len(fields) != 6 or not fields[5].startswith("role/"):
        return None
    account, name = AccountId(fields[4]), fields[5].rpartition("/")[2]
    role = await iam.read(lambda tx: entities.look_up(tx, account, ROLE, name))
    if role is not None and role.arn == resource_arn:
        trust: Mapping[str, Any] = json.loads(role.trust_policy)
        return trust
    return None if iam.mode == "strict" else _TRUSTS_ANYBODY


def tags_of(iam: Iam, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    return iam.knowledge.tags_of(arn)
