"""Roles that services act as: what they may do, whom they trust, and as which principal the service then acts.

For services that send something for a user: Lambda as a function's execution role, EventBridge as a target's role.
A role that IAM does not know is let through, as everywhere. AWS: IAM User Guide, "Terms and concepts" (service role).
"""

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any

from undercast.core.arn import AccountId, Scope
from undercast.core.context import LOOK_UP, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, service_principal
from undercast.core.service import Access


def passed_role(ctx: RequestContext, role_arn: str, host: str, *, refusal: ServiceError | None = None) -> Access:
    """What giving a role to a service needs. `refusal`, else AccessDeniedException, is for another account's role.

    No policy can allow that: whoever may pass any role could act in every account whose roles trust the service.
    AWS: IAM User Guide, "Grant a user permissions to pass a role to an AWS service": "you can't pass a role that is in
    another account"; the text: serverless issue 3374.
    """
    own = role_arn.split(":")[4:5] == [ctx.account_id]
    if not own and refusal is None:
        refusal = ServiceError("AccessDeniedException", "Cross-account pass role is not allowed.", 403)
    conditions = {"iam:PassedToService": host}
    return Access(action="iam:PassRole", resource=role_arn, conditions=conditions, refusal=None if own else refusal)


async def allows(ctx: RequestContext, host: str, role_arn: str, action: str, resource_arn: str) -> bool | None:
    """Whether the role's policies allow it; None for a role that IAM does not know.

    `host` is the service that asks, e.g. "lambda.amazonaws.com".
    """
    params = {"PolicySourceArn": role_arn, "ActionNames": [action], "ResourceArns": [resource_arn]}
    try:
        results = (await _ask_iam(ctx, host, role_arn, "SimulatePrincipalPolicy", params))["EvaluationResults"]
    except ServiceError:
        return None
    return all(result["EvalDecision"] == "allowed" for result in results)


async def session_of(ctx: RequestContext, host: str, role_arn: str, session_name: str) -> Principal:
    """The role as the service assumes it."""
    account_id, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    try:
        known = bool(await _ask_iam(ctx, host, role_arn, "GetRole", {"RoleName": name}))
    except ServiceError:
        known = False
    return Principal(
        kind="assumed-role",
        account_id=AccountId(account_id),
        arn=f"arn:aws:sts::{account_id}:assumed-role/{name}/{session_name}",
        role_arn=role_arn,
        known=known,
    )


async def trusts(ctx: RequestContext, host: str, role_arn: str, conditions: Mapping[str, str]) -> bool:
    """Whether the role's trust policy lets the service assume it, for what the condition keys say."""
    account_id = AccountId(role_arn.split(":")[4])
    return await ctx.permits(service_principal(host, account_id), "sts:AssumeRole", role_arn, conditions)


def _ask_iam(
    ctx: RequestContext, host: str, role_arn: str, operation: str, params: Mapping[str, Any]
) -> Awaitable[dict[str, Any]]:
    """As the service itself, whatever the caller may."""
    account_id = AccountId(role_arn.split(":")[4])
    scope = Scope(account_id, ctx.region)
    ctx = replace(ctx, cause=LOOK_UP)
    return ctx.call("iam", operation, params, principal=service_principal(host, account_id), scope=scope)
