"""What the failure destination is told of records that were given up.

A bucket gets the event itself as well, as a string of JSON.
AWS: Lambda Developer Guide, "Retain discarded batch records for a Kinesis Data Streams event source in Lambda", the
same for DynamoDB (names of objects; the payload, "only available in S3").
"""

import json
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import iso_millis
from undercast.core.context import Cause
from undercast.events.delivery import Delivery
from undercast.sandbox.model import FunctionVersion, InvocationResult
from undercast.services.event_sources.kinds import stream_of
from undercast.services.event_sources.work import GivenUp
from undercast.services.lambda_ import destinations
from undercast.services.lambda_.catalog import Resolved
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.services.lambda_.names import qualified


class Ran(NamedTuple):
    """One attempt that was answered."""

    request_id: str
    resolved: Resolved
    result: InvocationResult


def destination_of(mapping: EventSourceMapping) -> str:
    """OnFailure, as an ARN; "" where nobody is told."""
    destination: str = mapping.configuration.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
    return destination


def letter_of(
    functions: Lambda, mapping: EventSourceMapping, function: FunctionVersion, given_up: GivenUp[Ran], event: bytes
) -> Delivery:
    """The delivery to the mapping's destination. `event` is what the function would get."""
    on_failure = destination_of(mapping)
    target, now, ran = Arn.parse(on_failure), functions.clock.now(), given_up.known
    request_id = ran.request_id if ran is not None else functions.ids.uuid()
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": qualified(function.arn, None),
            "condition": given_up.condition,
            "approximateInvokeCount": given_up.attempts,
        },
        "version": "1.0",
        "timestamp": iso_millis(now),
        **given_up.batch_info(stream_of(mapping.source_arn)),
    }
    if ran is not None:
        context = {"statusCode": 200, "executedVersion": function.version}
        error = ran.result.function_error
        record["responseContext"] = {**context, "functionError": error} if error else context
    if target.service == "s3":
        record["payload"] = event.decode()
    return Delivery(
        id=functions.ids.uuid(),
        kind=destinations.KIND,
        target_arn=on_failure,
        payload=json.dumps(record).encode(),
        scope=Scope(
            AccountId(target.account_id or mapping.scope.account_id), Region(target.region or mapping.scope.region)
        ),
        created_at=now,
        cause=Cause(kind="invocation", id=request_id),
        source_arn=function.arn,
        attributes={
            "role_arn": function.role_arn,
            "function_arn": qualified(function.arn, function.version),
            "condition": given_up.condition,
            "folder": f"{mapping.id}/{given_up.shard_id}",
        },
    )
