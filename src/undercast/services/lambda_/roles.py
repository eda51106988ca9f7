"""A function's execution role: what it may do, and as whom Lambda acts when it sends something for a function.

AWS: Lambda Developer Guide, "Defining Lambda function permissions with an execution role".
"""

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal
from undercast.services import roles
from undercast.services.lambda_.instance import PRINCIPAL


async def allows(ctx: RequestContext, role_arn: str, action: str, resource_arn: str) -> bool | None:
    """Whether the role's policies allow it; None for a role that IAM does not know, which is let through."""
    return await roles.allows(ctx, PRINCIPAL, role_arn, action, resource_arn)


async def session_of(ctx: RequestContext, role_arn: str, function_name: str) -> Principal:
    """The role as Lambda assumes it for a function."""
    return await roles.session_of(ctx, PRINCIPAL, role_arn, function_name)


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
