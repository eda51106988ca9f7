"""How failed asynchronous invokes are retried, and where their records go.

AWS: Lambda API Reference, PutFunctionEventInvokeConfig and its companions; Developer Guide, "Configuring error handling
settings for asynchronous invocations", "Capturing records of Lambda asynchronous invocations".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import destinations, store
from undercast.services.lambda_.catalog import destinations_of
from undercast.services.lambda_.errors import invalid, not_found
from undercast.services.lambda_.instance import Lambda, existing_function, existing_qualifier, existing_version
from undercast.services.lambda_.models import Version
from undercast.services.lambda_.names import LATEST, Reference, parse_function_arn, parse_reference, qualified
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.services.lambda_.roles import may_invoke
from undercast.store.database import Tx

_MEMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
_NOTHING_SET = "You must specify at least one of error handling or destination setting."


@operation("PutFunctionEventInvokeConfig")
async def put_function_event_invoke_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Replace the settings of a qualifier."""
    return await _write(functions, ctx, "PutFunctionEventInvokeConfig", params)


@operation("UpdateFunctionEventInvokeConfig")
async def update_function_event_invoke_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Change what is given and leave the rest."""
    return await _write(functions, ctx, "UpdateFunctionEventInvokeConfig", params)


@operation("GetFunctionEventInvokeConfig")
async def get_function_event_invoke_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The settings of a qualifier."""
    reference = _reference(ctx, params)

    def read(tx: Tx) -> tuple[dict[str, Any], float]:
        existing_function(tx, reference)
        found = store.invoke_config(tx, reference.scope, reference.name, str(reference.qualifier))
        if found is None:
            raise _missing(reference)
        return found

    return _output(reference, *functions.database.read_now(read))


@operation("DeleteFunctionEventInvokeConfig")
async def delete_function_event_invoke_config(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Back to Lambda's defaults."""
    reference = _reference(ctx, params)

    def delete(tx: Tx) -> None:
        existing_function(tx, reference)
        key = store.key_of(reference.scope, reference.name)
        if not store.delete_invoke_config(tx, key, str(reference.qualifier)):
            raise _missing(reference)
        functions.changed(tx)

    await functions.database.write(delete)
    return Reply(output={}, status=204)


@operation("ListFunctionEventInvokeConfigs")
async def list_function_event_invoke_configs(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All settings of a function, by qualifier."""
    reference = parse_reference(ctx.scope, params["FunctionName"])
    limit = page_size(params)
    after = position(params)

    def read(tx: Tx) -> list[tuple[str, dict[str, Any], float]]:
        existing_function(tx, reference)
        return [row for row in store.invoke_configs(tx, reference.scope, reference.name) if row[0] > after]

    found = functions.database.read_now(read)
    listed = [
        _output(Reference(reference.scope, reference.name, qualifier), settings, at)
        for qualifier, settings, at in found[:limit]
    ]
    return {"FunctionEventInvokeConfigs": listed, **marker(found, limit, lambda row: row[0])}


async def _write(functions: Lambda, ctx: RequestContext, operation_name: str, params: Params) -> dict[str, Any]:
    reference = _reference(ctx, params)
    asked = {member: params[member] for member in _MEMBERS if params.get(member) is not None}
    if not asked:
        raise invalid(_NOTHING_SET)
    now = ctx.clock.now()
    version = functions.database.read_now(lambda tx: existing_version(tx, reference))
    for name, arn in destinations_of(asked).items():
        await _check_destination(functions, ctx, version, name, arn)

    def write(tx: Tx) -> dict[str, Any]:
        existing_qualifier(tx, reference)
        settings = asked
        if operation_name.startswith("Update"):
            found = store.invoke_config(tx, reference.scope, reference.name, str(reference.qualifier))
            if found is None:
                raise _missing(reference)
            settings = {**found[0], **asked}
        key = store.key_of(reference.scope, reference.name)
        store.put_invoke_config(tx, key, str(reference.qualifier), settings, now)
        functions.changed(tx)
        return settings

    return _output(reference, await functions.database.write(write), now)


async def _check_destination(functions: Lambda, ctx: RequestContext, version: Version, name: str, arn: str) -> None:
    """It must exist, the function's role must be allowed to send there, and buckets are for failures only."""
    role_arn = version.configuration["Role"]
    function = parse_function_arn(arn)
    if function is None:
        if name == "OnSuccess" and arn.startswith("arn:aws:s3:"):
            raise invalid(f"The destination ARN {arn} is invalid.")
        await destinations.check(ctx, arn, role_arn, f"DestinationConfig.{name}.Destination={arn}")
        return
    if (function.scope, function.name) == (version.scope, version.name):
        raise invalid("You can't specify the function as a destination for itself.")
    try:
        permitted = await may_invoke(ctx, role_arn, version.name, arn)
    except ServiceError as error:
        raise invalid(f"The destination ARN {arn} is invalid.") from error
    if not permitted:
        raise invalid(f"The function's execution role does not have permissions to call InvokeFunction on {arn}")


def _reference(ctx: RequestContext, params: Params) -> Reference:
    found = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    return Reference(found.scope, found.name, found.qualifier or LATEST)


def _missing(reference: Reference) -> Exception:
    return not_found(f"The function {reference.arn} doesn't have an EventInvokeConfig")


def _output(reference: Reference, settings: Mapping[str, Any], modified_at: float) -> dict[str, Any]:
    return {
        "LastModified": moment(modified_at),
        "FunctionArn": qualified(reference.function_arn, reference.qualifier),
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
        **settings,
    }
