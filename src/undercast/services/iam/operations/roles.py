"""Roles: create, get, list, update, delete, trust policy and permissions boundary.

AWS: IAM API Reference, "CreateRole" and its siblings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import operation
from undercast.services.iam import entities, errors, policies, shapes, tags
from undercast.services.iam.entities import DEFAULT_SESSION_S, Entity
from undercast.services.iam.iam import Iam, checked, new_entity
from undercast.services.iam.kinds import ROLE
from undercast.store.database import Tx

Params = Mapping[str, Any]
SERVICE_LINKED_PATH = "/aws-service-role/"
MAX_TRUST_POLICY = 2048


@operation("CreateRole")
async def create_role(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """The role exists when this returns; AWS needs a few seconds more."""
    path = params.get("Path", "/")
    if path.startswith(SERVICE_LINKED_PATH):
        raise errors.invalid_input(f"Roles with path {SERVICE_LINKED_PATH} can only be created by AWS services.")
    role = replace(
        new_entity(ctx, ROLE, params["RoleName"], path),
        trust_policy=trust_policy(params["AssumeRolePolicyDocument"]),
        description=params.get("Description", ""),
        max_session_s=params.get("MaxSessionDuration", DEFAULT_SESSION_S),
        boundary_arn=params.get("PermissionsBoundary"),
    )
    await create(iam, role, params.get("Tags", ()))
    shape = shapes.whole_role(role, params.get("Tags", ()))
    del shape["RoleLastUsed"]
    return {"Role": shape}


@operation("GetRole")
async def get_role(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """With tags and boundary, which lists leave out."""

    def get(tx: Tx) -> Params:
        role = entities.find(tx, ctx.account_id, ROLE, params["RoleName"])
        return {"Role": shapes.whole_role(role, tags.of(tx, role.id))}

    return await iam.read(get)


@operation("UpdateRole")
async def update_role(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """A member that is missing leaves the description and resets the duration, as on AWS."""

    def update(tx: Tx) -> None:
        role = modifiable(tx, ctx, params["RoleName"])
        entities.save(
            tx,
            replace(
                role,
                description=params.get("Description", role.description),
                max_session_s=params.get("MaxSessionDuration", DEFAULT_SESSION_S),
            ),
        )

    await iam.write(update)
    return {}


@operation("UpdateRoleDescription")
async def update_role_description(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """The older form of UpdateRole."""

    def update(tx: Tx) -> Entity:
        role = replace(modifiable(tx, ctx, params["RoleName"]), description=params["Description"])
        entities.save(tx, role)
        return role

    return {"Role": shapes.role(await iam.write(update))}


@operation("UpdateAssumeRolePolicy")
async def update_assume_role_policy(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Sessions that exist go on."""
    document = trust_policy(params["PolicyDocument"])

    def update(tx: Tx) -> None:
        entities.save(tx, replace(modifiable(tx, ctx, params["RoleName"]), trust_policy=document))

    await iam.write(update)
    return {}


@operation("DeleteRole")
async def delete_role(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Policies and instance profiles must be gone."""

    def delete(tx: Tx) -> None:
        role = modifiable(tx, ctx, params["RoleName"])
        without_policies(tx, role)
        if tx.one("SELECT 1 FROM iam_instance_profile WHERE role_id = ?", (role.id,)):
            raise errors.delete_conflict("Cannot delete entity, must remove roles from instance profile first.")
        entities.remove(tx, role)

    await iam.write(delete)
    return {}


async def create(iam: Iam, entity: Entity, given: Sequence[Mapping[str, str]]) -> None:
    """Add a role or user with its tags. Raises NoSuchEntity for a boundary that there is not, EntityAlreadyExists."""

    def add(tx: Tx) -> None:
        if entity.boundary_arn is not None:
            iam.boundary(tx, entity.account_id, entity.boundary_arn)
        entities.add(tx, entity)
        tags.put(tx, entity.account_id, entity.id, given)

    await iam.write(add)


def trust_policy(document: str) -> str:
    """A valid trust policy. Raises MalformedPolicyDocument and LimitExceeded."""
    checked(document, "trust")
    if policies.size(document) > MAX_TRUST_POLICY:
        raise errors.over_quota("ACLSizePerRole", MAX_TRUST_POLICY)
    return document


def modifiable(tx: Tx, ctx: RequestContext, name: str) -> Entity:
    """A role that customers may change. Raises NoSuchEntity and UnmodifiableEntity."""
    role = entities.find(tx, ctx.account_id, ROLE, name)
    if role.path.startswith(SERVICE_LINKED_PATH):
        raise errors.protected(role.name)
    return role


def without_policies(tx: Tx, entity: Entity) -> None:
    """Raises DeleteConflict while policies hang on the entity."""
    if policies.attached(tx, entity.id):
        raise errors.delete_conflict("Cannot delete entity, must detach all policies first.")
    if policies.inline(tx, entity.id):
        raise errors.delete_conflict("Cannot delete entity, must delete policies first.")
