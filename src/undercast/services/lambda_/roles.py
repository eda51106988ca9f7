"""A function's execution role: what it may do, and as whom Lambda acts when it sends something for a function.

AWS: Lambda Developer Guide, "Defining Lambda function permissions with an execution role".
"""

from collections.abc import Awaitable, Mapping
from typing import Any

from undercast.core.arn import AccountId, Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, service_principal
from undercast.services.lambda_.instance import PRINCIPAL


async def allows(ctx: RequestContext, role_arn: str, action: str, resource_arn: str) -> bool | None:
    """Whether the role's policies allow it; None for a role that IAM does not know, which is let through."""
    params = {"PolicySourceArn": role_arn, "ActionNames": [action], "ResourceArns": [resource_arn]}
    try:
        results = (await _ask_iam(ctx, role_arn, "SimulatePrincipalPolicy", params))["EvaluationResults"]
    except ServiceError:
        return None
    return all(result["EvalDecision"] == "allowed" for result in results)


async def session_of(ctx: RequestContext, role_arn: str, function_name: str) -> Principal:
    """The role as Lambda assumes it for a function."""
    account_id, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    try:
        known = bool(await _ask_iam(ctx, role_arn, "GetRole", {"RoleName": name}))
    except ServiceError:
        known = False
    return Principal(
        kind="assumed-role",
        account_id=AccountId(account_id),
        arn=f"arn:aws:sts::{account_id}:assumed-role/{name}/{function_name}",
        role_arn=role_arn,
        known=known,
    )


async def may_invoke(ctx: RequestContext, role_arn: str, function_name: str, target_arn: str) -> bool:
    """Whether a function's role may invoke another function, whose own policy has its say. Runs nothing.

    Raises what Invoke raises for a function that is not there. AWS: Invoke, InvocationType DryRun.
    """
    role = await session_of(ctx, role_arn, function_name)
    params = {"FunctionName": target_arn, "InvocationType": "DryRun"}
    try:
        await ctx.call("lambda", "Invoke", params, principal=role)
    except ServiceError as error:
        if error.status == 403:
            return False
        raise
    return True


def _ask_iam(
    ctx: RequestContext, role_arn: str, operation: str, params: Mapping[str, Any]
) -> Awaitable[dict[str, Any]]:
    """As Lambda itself, whatever the caller may."""
    account_id = AccountId(role_arn.split(":")[4])
    scope = Scope(account_id, ctx.region)
    return ctx.call("iam", operation, params, principal=service_principal(PRINCIPAL, account_id), scope=scope)
