"""The resource-based policies of streams and consumers.

AWS: Kinesis API Reference, PutResourcePolicy; Developer Guide, "Share your data stream with another account".
"""

from typing import Any

from undercast.core import json_values
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.policy.document import parse_policy
from undercast.services.kinesis.errors import invalid
from undercast.services.kinesis.instance import Kinesis
from undercast.services.kinesis.models import Stream, named_by_arn
from undercast.services.kinesis.operations.tags import resource
from undercast.store.database import Tx

MAX_BYTES = 20 * 1024


@operation("PutResourcePolicy")
async def put_resource_policy(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Replace it."""
    if len(params["Policy"].encode()) > MAX_BYTES:
        raise invalid(f"A policy has at most {MAX_BYTES} bytes.")
    try:
        parse_policy(json_values.parse(params["Policy"]), "resource")
    except ServiceError as error:
        raise invalid(f"The policy is malformed: {error.message}") from error
    except (ValueError, RecursionError):
        raise invalid("The policy is no JSON.") from None
    await _set(kinesis, params["ResourceARN"], params["Policy"])
    return {}


@operation("GetResourcePolicy")
async def get_resource_policy(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """As it was put."""
    policy = kinesis.database.read_now(lambda tx: resource(tx, params["ResourceARN"])).policy
    if not policy:
        raise ServiceError("ResourceNotFoundException", f"No policy is attached to {params['ResourceARN']}.")
    return {"Policy": policy}


@operation("DeleteResourcePolicy")
async def delete_resource_policy(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Take it away."""
    await _set(kinesis, params["ResourceARN"], "")
    return {}


async def _set(kinesis: Kinesis, arn: str, policy: str) -> None:
    def write(tx: Tx) -> None:
        owner = resource(tx, arn)
        table = "kinesis_stream" if isinstance(owner, Stream) else "kinesis_consumer"
        tx.execute(f"UPDATE {table} SET policy = ? WHERE id = ?", (policy, owner.id))
        kinesis.policies.changed(tx, arn)

    await kinesis.change(named_by_arn(arn), write)
