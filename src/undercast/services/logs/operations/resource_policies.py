"""Resource policies of an account and of single log groups.

AWS: CloudWatch Logs API Reference, PutResourcePolicy, DescribeResourcePolicies, DeleteResourcePolicy.
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.logs import resource_policies
from undercast.services.logs.errors import invalid
from undercast.services.logs.instance import Logs, existing_group
from undercast.services.logs.models import group_arn, group_of_arn
from undercast.services.logs.operations.pages import page_of
from undercast.services.logs.resource_policies import ACCOUNT, MAX_OF_ACCOUNT, RESOURCE, ResourcePolicy
from undercast.store.database import Tx


@operation("PutResourcePolicy")
async def put_resource_policy(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name for every group of the account, or by ARN for one group."""
    scope, key = _named(ctx, params)
    if "policyDocument" not in params:
        raise invalid("policyDocument is required.")
    if scope == RESOURCE:
        await logs.journal.read(lambda tx: existing_group(tx, ctx.scope, group_of_arn(ctx.scope, key)))
    wanted = ResourcePolicy(
        owner=ctx.scope,
        scope=scope,
        key=key,
        document=resource_policies.checked(params["policyDocument"]),
        updated_ms=logs.now_ms(),
        revision=ctx.ids.uuid(),
    )

    def write(tx: Tx) -> None:
        known = resource_policies.find(tx, ctx.scope, scope, key)
        if known is not None:
            _check_revision(known, params)
        elif scope == ACCOUNT and len(resource_policies.of_account(tx, ctx.scope, ACCOUNT)) >= MAX_OF_ACCOUNT:
            raise ServiceError("LimitExceededException", "Resource limit exceeded.")
        resource_policies.put(tx, wanted)

    if scope == ACCOUNT:
        await logs.database.write(write)
    else:
        async with logs.belongings:
            await logs.journal.read(lambda tx: existing_group(tx, ctx.scope, group_of_arn(ctx.scope, key)))
            await logs.database.write(write)
    revision = {"revisionId": wanted.revision} if scope == RESOURCE else {}
    return {"resourcePolicy": wanted.output(), **revision}


@operation("DescribeResourcePolicies")
async def describe_resource_policies(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Those of the account, or those of single groups."""
    arn = params.get("resourceArn")
    scope = params.get("policyScope") or (RESOURCE if arn else ACCOUNT)
    found = await logs.database.read(lambda tx: resource_policies.of_account(tx, ctx.scope, scope))
    if arn:
        wanted = group_arn(ctx.scope, group_of_arn(ctx.scope, arn))
        found = [one for one in found if one.key == wanted]
    page, token = page_of([(one.key, one.output()) for one in found], params)
    return {"resourcePolicies": page, **token}


@operation("DeleteResourcePolicy")
async def delete_resource_policy(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Let those in it write no more."""
    scope, key = _named(ctx, params)

    def write(tx: Tx) -> None:
        known = resource_policies.find(tx, ctx.scope, scope, key)
        if known is None:
            text = "Policy with name" if scope == ACCOUNT else "Policy of resource"
            raise ServiceError("ResourceNotFoundException", f"{text} [{key}] does not exist.")
        _check_revision(known, params)
        resource_policies.delete(tx, ctx.scope, scope, key)

    await logs.database.write(write)


def _named(ctx: RequestContext, params: Params) -> tuple[str, str]:
    """Scope and key. AWS takes exactly one of the two names."""
    name, arn = params.get("policyName"), params.get("resourceArn")
    if (name is None) == (arn is None):
        raise invalid("Exactly one of policyName and resourceArn is required.")
    if name is not None:
        return ACCOUNT, name
    return RESOURCE, group_arn(ctx.scope, group_of_arn(ctx.scope, str(arn)))


def _check_revision(known: ResourcePolicy, params: Params) -> None:
    """Who changes a group's policy says which one he has seen."""
    if known.scope == ACCOUNT:
        return
    seen = params.get("expectedRevisionId")
    if seen is None:
        raise invalid("expectedRevisionId is required to change a policy of a resource.")
    if seen != known.revision:
        raise ServiceError("OperationAbortedException", "The policy has another revision than expectedRevisionId.")
