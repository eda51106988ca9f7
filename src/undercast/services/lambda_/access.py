"""What each Lambda request needs: the IAM action, the function's ARN, and the function's own policy.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for AWS Lambda".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Access, Params
from undercast.services.lambda_.instance import PRINCIPAL, Lambda
from undercast.services.lambda_.names import function_arn, parse_function_arn, parse_reference

_ACTIONS = {"Invoke": "lambda:InvokeFunction", "InvokeAsync": "lambda:InvokeFunction"}
_NO_RESOURCE = frozenset({"ListFunctions", "GetAccountSettings"})
_UNQUALIFIED = frozenset({"CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion"})


async def access(functions: Lambda, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    action = _ACTIONS.get(operation) or f"lambda:{operation}"
    if operation == "Invoke":
        key = ctx.scope, params["FunctionName"], params.get("Qualifier")
        return functions.catalog.guard(key, lambda: _on_function(functions, ctx, action, params))
    if operation in _NO_RESOURCE:
        return (Access(action=action, resource="*"),)
    needed = _on_function(functions, ctx, action, params)
    if operation in ("CreateFunction", "UpdateFunctionConfiguration") and params.get("Role"):
        conditions = {"iam:PassedToService": PRINCIPAL}
        return needed, Access(action="iam:PassRole", resource=params["Role"], conditions=conditions)
    return (needed,)


def _on_function(functions: Lambda, ctx: RequestContext, action: str, params: Params) -> Access:
    if "Resource" in params:
        reference = parse_function_arn(params["Resource"])
        owner = reference.scope.account_id if reference is not None else None
        return Access(action=action, resource=params["Resource"], resource_account_id=owner)
    try:
        reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    except ServiceError:
        # The operation answers with the reason; nothing is there to be guarded.
        return Access(action=action, resource=function_arn(ctx.scope, "*"))
    return Access(
        action=action,
        resource=reference.arn,
        resource_policy=functions.catalog.policy(reference),
        resource_account_id=reference.scope.account_id,
    )


async def policy_of(functions: Lambda, resource_arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    reference = parse_function_arn(resource_arn)
    return functions.catalog.policy(reference) if reference is not None else None
