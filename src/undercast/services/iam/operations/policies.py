"""Managed policies and their versions.

AWS: IAM API Reference, "CreatePolicy", "CreatePolicyVersion" and their siblings.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import operation
from undercast.services.iam import entities, errors, policies, shapes, tags
from undercast.services.iam.aws_managed import PREFIX
from undercast.services.iam.iam import Iam, checked
from undercast.services.iam.kinds import GROUP, ROLE, USER
from undercast.services.iam.pages import page
from undercast.services.iam.policies import MAX_DOCUMENT, ManagedPolicy, Version
from undercast.store.database import Tx

Params = Mapping[str, Any]


@operation("CreatePolicy")
async def create_policy(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Actions that no service has are accepted, as on AWS."""
    document = _document(params["PolicyDocument"])
    path, now = params.get("Path", "/"), ctx.clock.now()
    policy = ManagedPolicy(
        id="ANPA" + ctx.ids.base32(17),
        arn=f"arn:aws:iam::{ctx.account_id}:policy{path}{params['PolicyName']}",
        name=params["PolicyName"],
        path=path,
        description=params.get("Description", ""),
        default_version=1,
        latest_version=1,
        created_at=now,
        updated_at=now,
    )

    def create(tx: Tx) -> None:
        policies.add(tx, ctx.account_id, policy, document)
        tags.put(tx, ctx.account_id, policy.id, params.get("Tags", ()))

    await iam.write(create)
    shape = shapes.policy(policy, 0)
    return {"Policy": shape | ({"Tags": list(params["Tags"])} if params.get("Tags") else {})}


@operation("GetPolicy")
async def get_policy(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Of the customer or of AWS."""

    def get(tx: Tx) -> Params:
        policy = _find(iam, tx, ctx, params["PolicyArn"])
        attachments = len(policies.attached_to(tx, ctx.account_id, policy.arn))
        boundaries = len(policies.bounded_by(tx, ctx.account_id, policy.arn))
        return {"Policy": shapes.whole_policy(policy, attachments, boundaries, tags.of(tx, policy.id))}

    return await iam.read(get)


@operation("ListPolicies")
async def list_policies(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Scope Local: the account's own; AWS: AWS's; All: both."""

    def collect(tx: Tx) -> list[tuple[ManagedPolicy, int, int]]:
        scope = params.get("Scope", "All")
        found = [] if scope == "AWS" else policies.every(tx, ctx.account_id)
        if scope != "Local":
            found += [entry.policy for entry in iam.aws_managed.by_arn.values()]
        counted = (
            (
                policy,
                len(policies.attached_to(tx, ctx.account_id, policy.arn)),
                len(policies.bounded_by(tx, ctx.account_id, policy.arn)),
            )
            for policy in found
            if policy.path.startswith(params.get("PathPrefix", "/"))
        )
        return [entry for entry in counted if _wanted(params, entry[1], entry[2])]

    shown, rest = page(await iam.read(collect), lambda entry: entry[0].arn, params)
    return {"Policies": [shapes.policy(*entry) for entry in shown], **rest}


def _wanted(params: Params, attachments: int, boundaries: int) -> bool:
    usage = params.get("PolicyUsageFilter")
    used = {"PermissionsPolicy": attachments, "PermissionsBoundary": boundaries}.get(usage or "", 1)
    return used > 0 and (not params.get("OnlyAttached", False) or attachments > 0)


@operation("ListEntitiesForPolicy")
async def list_entities_for_policy(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Users, groups and roles that the policy is attached to, or bounds."""

    def collect(tx: Tx) -> list[entities.Entity]:
        arn = _find(iam, tx, ctx, params["PolicyArn"]).arn
        usage = params.get("PolicyUsageFilter")
        ids: list[str] = []
        if usage != "PermissionsBoundary":
            ids += policies.attached_to(tx, ctx.account_id, arn)
        if usage != "PermissionsPolicy":
            ids += policies.bounded_by(tx, ctx.account_id, arn)
        found = [entity for one in dict.fromkeys(ids) if (entity := entities.with_id(tx, one))]
        return [entity for entity in found if entity.path.startswith(params.get("PathPrefix", "/"))]

    found = await iam.read(collect)
    kinds = {"User": (USER,), "Role": (ROLE,), "Group": (GROUP,)}.get(
        params.get("EntityFilter", ""), (USER, ROLE, GROUP)
    )
    shown, rest = page([one for one in found if one.kind in kinds], lambda one: one.id, params)
    lists: dict[str, list[dict[str, str]]] = {"PolicyUsers": [], "PolicyRoles": [], "PolicyGroups": []}
    for one in shown:
        lists[f"Policy{one.kind.label}s"].append({one.kind.name_member: one.name, f"{one.kind.label}Id": one.id})
    return {**lists, **rest}


@operation("DeletePolicy")
async def delete_policy(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """It must be attached to nothing and have no version but the default one."""

    def delete(tx: Tx) -> None:
        policy = _own(iam, tx, ctx, params["PolicyArn"])
        if policies.attached_to(tx, ctx.account_id, policy.arn) or policies.bounded_by(tx, ctx.account_id, policy.arn):
            raise errors.delete_conflict("Cannot delete a policy attached to entities.")
        if len(policies.versions(tx, policy)) > 1:
            raise errors.delete_conflict(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                "versions. The default version is deleted with the policy."
            )
        policies.remove(tx, policy)

    await iam.write(delete)
    return {}


@operation("CreatePolicyVersion")
async def create_policy_version(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """At most five; numbers are never used twice."""
    document = _document(params["PolicyDocument"])

    def create(tx: Tx) -> Version:
        policy = _own(iam, tx, ctx, params["PolicyArn"])
        version = Version(
            number=policy.latest_version + 1,
            document=document,
            created_at=ctx.clock.now(),
            default=params.get("SetAsDefault", False),
        )
        policies.add_version(tx, ctx.account_id, policy, version)
        return version

    return {"PolicyVersion": shapes.version(await iam.write(create), with_document=False)}


@operation("GetPolicyVersion")
async def get_policy_version(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """With its document."""

    def get(tx: Tx) -> Version:
        arn = params["PolicyArn"]
        for version in _versions(iam, tx, ctx, arn):
            if version.id == params["VersionId"]:
                return version
        raise errors.no_such_version(arn, params["VersionId"])

    return {"PolicyVersion": shapes.version(await iam.read(get), with_document=True)}


@operation("ListPolicyVersions")
async def list_policy_versions(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """The newest first."""
    versions = await iam.read(lambda tx: _versions(iam, tx, ctx, params["PolicyArn"]))
    shown, rest = page(versions, lambda version: f"{10**9 - version.number}", params)
    return {"Versions": [shapes.version(version, with_document=False) for version in shown], **rest}


@operation("SetDefaultPolicyVersion")
async def set_default_policy_version(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """In force for everything that the policy is attached to."""

    def change(tx: Tx) -> None:
        policy = _own(iam, tx, ctx, params["PolicyArn"])
        policies.set_default(tx, policy, policies.find_version(tx, policy, params["VersionId"]).number)

    await iam.write(change)
    return {}


@operation("DeletePolicyVersion")
async def delete_policy_version(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Not the default one."""

    def delete(tx: Tx) -> None:
        policy = _own(iam, tx, ctx, params["PolicyArn"])
        version = policies.find_version(tx, policy, params["VersionId"])
        if version.default:
            raise errors.delete_conflict("Cannot delete the default version of a policy.")
        policies.remove_version(tx, policy, version.number)

    await iam.write(delete)
    return {}


def _document(text: str) -> str:
    checked(text, "managed")
    if policies.size(text) > MAX_DOCUMENT:
        raise errors.over_quota("PolicySize", MAX_DOCUMENT)
    return text


def _find(iam: Iam, tx: Tx, ctx: RequestContext, arn: str) -> ManagedPolicy:
    managed = iam.aws_managed.find(arn)
    policy = managed.policy if managed else policies.look_up(tx, ctx.account_id, arn)
    if policy is None:
        raise errors.no_such_policy(arn)
    return policy


def _own(iam: Iam, tx: Tx, ctx: RequestContext, arn: str) -> ManagedPolicy:
    """A policy that the caller's account may change."""
    if arn.startswith(PREFIX):
        raise ServiceError("AccessDenied", f"Policy is outside your own account. ({arn})", 403)
    return _find(iam, tx, ctx, arn)


def _versions(iam: Iam, tx: Tx, ctx: RequestContext, arn: str) -> list[Version]:
    managed = iam.aws_managed.find(arn)
    return [managed.version] if managed else policies.versions(tx, _find(iam, tx, ctx, arn))
