"""When Lambda updates a function's runtime: stored, as the runtimes are those of this machine.

AWS: Lambda API Reference, PutRuntimeManagementConfig, GetRuntimeManagementConfig.
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.lambda_ import store
from undercast.services.lambda_.errors import invalid
from undercast.services.lambda_.instance import Lambda, existing_qualifier
from undercast.services.lambda_.names import LATEST, Reference, parse_reference
from undercast.store.database import Tx

_AUTO = ("Auto", "")


@operation("PutRuntimeManagementConfig")
async def put_runtime_management_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Auto, FunctionUpdate, or Manual with the ARN of a runtime version."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    update_on, version_arn = params["UpdateRuntimeOn"], params.get("RuntimeVersionArn") or ""
    if update_on == "Manual" and not version_arn:
        raise invalid("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")

    def put(tx: Tx) -> None:
        existing_qualifier(tx, reference)
        key = store.key_of(reference.scope, reference.name)
        store.put_runtime_management(tx, key, reference.qualifier or LATEST, update_on, version_arn)

    await functions.database.write(put)
    return _output(reference, update_on, version_arn)


@operation("GetRuntimeManagementConfig")
async def get_runtime_management_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What was put; Auto without that."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))

    def find(tx: Tx) -> tuple[str, str]:
        existing_qualifier(tx, reference)
        key = store.key_of(reference.scope, reference.name)
        return store.runtime_management(tx, key, reference.qualifier or LATEST) or _AUTO

    return _output(reference, *functions.database.read_now(find))


def _output(reference: Reference, update_on: str, version_arn: str) -> dict[str, Any]:
    pinned = {"RuntimeVersionArn": version_arn} if version_arn else {}
    return {"UpdateRuntimeOn": update_on, "FunctionArn": reference.arn, **pinned}
