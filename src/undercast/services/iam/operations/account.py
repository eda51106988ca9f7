"""What concerns the account as a whole, and service-linked roles.

AWS: IAM API Reference, "GetAccountSummary", "GetAccountAuthorizationDetails", "CreateServiceLinkedRole".
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import operation
from undercast.services.iam import entities, errors, policies, shapes, tags
from undercast.services.iam.entities import Entity
from undercast.services.iam.iam import Iam, new_entity
from undercast.services.iam.kinds import GROUP, KINDS, ROLE, USER, Kind
from undercast.services.iam.operations.instance_profiles import profiles_of
from undercast.services.iam.operations.roles import SERVICE_LINKED_PATH
from undercast.services.iam.pages import page
from undercast.services.iam.policies import MAX_DOCUMENT, MAX_POLICIES, MAX_VERSIONS
from undercast.store.database import Tx

Params = Mapping[str, Any]
_ROOT_KEYS = "SELECT 1 FROM iam_access_key WHERE account_id = ? AND user_id = ? AND status <> 'Deleted'"
_SERVICE_LINKED = {
    "apidestinations.events.amazonaws.com": "AWSServiceRoleForAmazonEventBridgeApiDestinations",
    "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
    "dynamodb.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "elasticache.amazonaws.com": "AWSServiceRoleForElastiCache",
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "lambda.amazonaws.com": "AWSServiceRoleForLambda",
    "lambda.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency",
    "ops.apigateway.amazonaws.com": "AWSServiceRoleForAPIGateway",
    "rds.amazonaws.com": "AWSServiceRoleForRDS",
    "replication.dynamodb.amazonaws.com": "AWSServiceRoleForDynamoDBReplication",
    "replicator.lambda.amazonaws.com": "AWSServiceRoleForLambdaReplicator",
    "ssm.amazonaws.com": "AWSServiceRoleForAmazonSSM",
}
"""Service principal -> role name (IAM User Guide, "AWS services that work with IAM", service-linked roles)."""


@operation("CreateServiceLinkedRole")
async def create_service_linked_role(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """A role under /aws-service-role/ that only its service may assume and customers may not change."""
    service = params["AWSServiceName"]
    if service not in _SERVICE_LINKED:
        raise errors.invalid_input(f"Undercast knows no service-linked role of {service}.")
    suffix = params.get("CustomSuffix")
    name = _SERVICE_LINKED[service] + (f"_{suffix}" if suffix else "")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}],
    }
    role = replace(
        new_entity(ctx, ROLE, name, f"{SERVICE_LINKED_PATH}{service}/"),
        trust_policy=json.dumps(trust),
        description=params.get("Description", ""),
    )

    def create(tx: Tx) -> None:
        if entities.look_up(tx, ctx.account_id, ROLE, name):
            text = f"Service role name {name} has been taken in this account, please try a different suffix."
            raise errors.invalid_input(text)
        entities.add(tx, role)

    await iam.write(create)
    return {"Role": shapes.role(role)}


@operation("DeleteServiceLinkedRole")
async def delete_service_linked_role(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Done when this returns; the task id names the role."""

    def delete(tx: Tx) -> Entity:
        role = entities.find(tx, ctx.account_id, ROLE, params["RoleName"])
        if not role.path.startswith(SERVICE_LINKED_PATH):
            raise errors.invalid_input(f"{role.name} is not a service-linked role.")
        entities.remove(tx, role)
        return role

    role = await iam.write(delete)
    return {"DeletionTaskId": f"task{role.path}{role.name}/{ctx.ids.uuid()}"}


@operation("GetServiceLinkedRoleDeletionStatus")
async def get_service_linked_role_deletion_status(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """SUCCEEDED for a task of DeleteServiceLinkedRole."""
    task = params["DeletionTaskId"].split("/")
    gone = task[:2] == ["task", SERVICE_LINKED_PATH.strip("/")] and len(task) == 5
    if not gone or await iam.read(lambda tx: entities.look_up(tx, ctx.account_id, ROLE, task[3]) is not None):
        raise errors.no_such("deletion task", params["DeletionTaskId"])
    return {"Status": "SUCCEEDED"}


@operation("CreateAccountAlias")
async def create_account_alias(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """An account has one alias; a new one replaces it."""
    alias = params["AccountAlias"]

    def create(tx: Tx) -> None:
        taken = tx.one("SELECT account_id FROM iam_account_alias WHERE alias = ?", (alias,))
        if taken is not None and taken["account_id"] != ctx.account_id:
            raise errors.already_exists(f"The account alias {alias} already exists.")
        tx.execute("DELETE FROM iam_account_alias WHERE account_id = ?", (ctx.account_id,))
        tx.execute("INSERT INTO iam_account_alias VALUES (?, ?)", (ctx.account_id, alias))

    await iam.write(create)
    return {}


@operation("DeleteAccountAlias")
async def delete_account_alias(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Raises NoSuchEntity for another alias than the account's."""

    def delete(tx: Tx) -> None:
        sql = "DELETE FROM iam_account_alias WHERE account_id = ? AND alias = ?"
        if not tx.execute(sql, (ctx.account_id, params["AccountAlias"])):
            raise errors.no_such("account alias", params["AccountAlias"])

    await iam.write(delete)
    return {}


@operation("ListAccountAliases")
async def list_account_aliases(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """None or one."""
    sql = "SELECT alias FROM iam_account_alias WHERE account_id = ?"
    rows = await iam.read(lambda tx: tx.all(sql, (ctx.account_id,)))
    shown, rest = page([str(row["alias"]) for row in rows], str, params)
    return {"AccountAliases": shown, **rest}


@operation("GetAccountSummary")
async def get_account_summary(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Counts of what there is, and the quotas that are enforced here."""

    def count(tx: Tx) -> dict[str, int]:
        profiles = tx.one("SELECT count(*) AS n FROM iam_instance_profile WHERE account_id = ?", (ctx.account_id,))
        found = {
            **{f"{kind.label}s": len(entities.every(tx, ctx.account_id, kind)) for kind in KINDS},
            "Policies": len(policies.every(tx, ctx.account_id)),
            "InstanceProfiles": profiles["n"] if profiles else 0,
            "AccountAccessKeysPresent": int(tx.one(_ROOT_KEYS, (ctx.account_id, ctx.account_id)) is not None),
        }
        return found | {f"{kind.label}sQuota": kind.entities_per_account for kind in KINDS}

    summary = await iam.read(count)
    quotas = {
        "PoliciesQuota": MAX_POLICIES,
        "PolicySizeQuota": MAX_DOCUMENT,
        "VersionsPerPolicyQuota": MAX_VERSIONS,
        "AccessKeysPerUserQuota": 2,
        "GroupsPerUserQuota": 10,
        "AccountMFAEnabled": 0,
    }
    return {"SummaryMap": summary | quotas}


@operation("GetAccountAuthorizationDetails")
async def get_account_authorization_details(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """Users, groups, roles and managed policies (AWS's own only where attached) with everything that hangs on them."""
    filters = params.get("Filter") or ["User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"]

    def collect(tx: Tx) -> Params:
        found: list[tuple[str, str, dict[str, Any]]] = []
        for kind in (USER, GROUP, ROLE):
            if kind.label in filters:
                found += [
                    (f"{kind.label}DetailList", one.id, _details(iam, tx, kind, one))
                    for one in entities.every(tx, ctx.account_id, kind)
                ]
        if "LocalManagedPolicy" in filters:
            for one in policies.every(tx, ctx.account_id):
                found.append(("Policies", one.id, _policy_details(tx, ctx, one, policies.versions(tx, one))))
        if "AWSManagedPolicy" in filters:
            for aws in filter(None, map(iam.aws_managed.find, policies.in_use(tx, ctx.account_id))):
                found.append(("Policies", aws.policy.id, _policy_details(tx, ctx, aws.policy, [aws.version])))
        shown, rest = page(found, lambda entry: entry[0] + entry[1], params)
        names = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
        return {name: [shape for of, _, shape in shown if of == name] for name in names} | rest

    return await iam.read(collect)


def _details(iam: Iam, tx: Tx, kind: Kind, one: Entity) -> dict[str, Any]:
    inline = [
        {"PolicyName": name, "PolicyDocument": shapes.encoded(document)}
        for name, document in policies.inline(tx, one.id).items()
    ]
    attached = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in policies.attached(tx, one.id)]
    shape = {f"{kind.label}PolicyList": inline, "AttachedManagedPolicies": attached}
    if kind is GROUP:
        return shapes.entity(one) | shape
    if kind is USER:
        groups = [group.name for group in entities.groups_of(tx, one)]
        return shapes.whole_user(one, tags.of(tx, one.id)) | shape | {"GroupList": groups}
    return shapes.whole_role(one, tags.of(tx, one.id)) | shape | {"InstanceProfileList": profiles_of(tx, one)}


def _policy_details(
    tx: Tx, ctx: RequestContext, one: policies.ManagedPolicy, existing: Sequence[policies.Version]
) -> dict[str, Any]:
    attachments = len(policies.attached_to(tx, ctx.account_id, one.arn))
    versions = [shapes.version(version, with_document=True) for version in existing]
    shape = shapes.policy(one, attachments, len(policies.bounded_by(tx, ctx.account_id, one.arn)))
    return shape | {"PolicyVersionList": versions}
