"""Settings of a function as a whole: reserved concurrency, recursion.

AWS: Lambda API Reference, PutFunctionConcurrency and its companions, PutFunctionRecursionConfig; Developer Guide,
"Configuring reserved concurrency".
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import store
from undercast.services.lambda_.concurrency import ACCOUNT_LIMIT, MIN_UNRESERVED
from undercast.services.lambda_.errors import invalid
from undercast.services.lambda_.instance import Lambda, existing_function, unqualified
from undercast.services.lambda_.models import Function
from undercast.services.lambda_.names import Reference, parse_reference
from undercast.services.lambda_.provisioned import read, wanted
from undercast.store.database import Tx


@operation("PutFunctionConcurrency")
async def put_function_concurrency(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Set aside concurrency for a function, and bound it by that; 0 stops it."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))
    reserved = params["ReservedConcurrentExecutions"]

    def reserve(tx: Tx) -> None:
        function = existing_function(tx, reference)
        others = store.claimed_elsewhere(tx, reference.scope, reference.name)
        provisioned = sum(wanted(*read(tx, reference.scope, reference.name)).values())
        if reserved < provisioned:
            raise invalid(
                f"ReservedConcurrentExecutions {reserved} should not be lower than function's total provisioned "
                f"concurrency [{provisioned}]."
            )
        if reserved and ACCOUNT_LIMIT - others - reserved < MIN_UNRESERVED:
            raise invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{MIN_UNRESERVED}]."
            )
        store.change_function(tx, replace(function, reserved_concurrency=reserved))
        functions.changed(tx)

    await functions.database.write(reserve)
    return {"ReservedConcurrentExecutions": reserved}


@operation("GetFunctionConcurrency")
async def get_function_concurrency(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The reserved concurrency, if any."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))
    reserved = functions.database.read_now(lambda tx: existing_function(tx, reference)).reserved_concurrency
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


@operation("DeleteFunctionConcurrency")
async def delete_function_concurrency(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Back to the account's unreserved pool."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))
    await _change(functions, reference, lambda function: replace(function, reserved_concurrency=None))
    return Reply(output={}, status=204)


@operation("PutFunctionRecursionConfig")
async def put_function_recursion_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Whether a recursive loop of this function is stopped."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))
    await _change(functions, reference, lambda function: replace(function, recursive_loop=params["RecursiveLoop"]))
    return {"RecursiveLoop": params["RecursiveLoop"]}


@operation("GetFunctionRecursionConfig")
async def get_function_recursion_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Terminate unless it was set to Allow."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))
    return {"RecursiveLoop": functions.database.read_now(lambda tx: existing_function(tx, reference)).recursive_loop}


async def _change(functions: Lambda, reference: Reference, change: Callable[[Function], Function]) -> None:
    def apply(tx: Tx) -> None:
        store.change_function(tx, change(existing_function(tx, reference)))
        functions.changed(tx)

    await functions.database.write(apply)
