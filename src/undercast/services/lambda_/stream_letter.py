"""What the failure destination is told of records that were given up.

AWS: Lambda Developer Guide, "Retain discarded batch records for a Kinesis Data Streams event source in Lambda", the
same for DynamoDB.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import iso_millis
from undercast.core.context import Cause
from undercast.events.delivery import Delivery
from undercast.sandbox.model import FunctionVersion, InvocationResult
from undercast.services.event_sources.kinds import Kind, stream_of
from undercast.services.event_sources.records import Record
from undercast.services.lambda_ import destinations
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.services.lambda_.names import qualified


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """Records that are given up, and why. `result` is of the last attempt, if there was one."""

    shard_id: str
    records: Sequence[Record]
    attempts: int
    condition: str
    request_id: str
    result: InvocationResult | None


def letter_of(
    functions: Lambda, mapping: EventSourceMapping, kind: Kind, function: FunctionVersion, discarded: Discarded
) -> Delivery:
    """The delivery to the mapping's destination."""
    on_failure: str = mapping.configuration["DestinationConfig"]["OnFailure"]["Destination"]
    target, now = Arn.parse(on_failure), functions.clock.now()
    first, last = discarded.records[0], discarded.records[-1]
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": discarded.request_id,
            "functionArn": qualified(function.arn, None),
            "condition": discarded.condition,
            "approximateInvokeCount": discarded.attempts,
        },
        "version": "1.0",
        "timestamp": iso_millis(now),
        kind.batch_info: {
            "shardId": discarded.shard_id,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": iso_millis(first.arrived_at),
            "approximateArrivalOfLastRecord": iso_millis(last.arrived_at),
            "batchSize": len(discarded.records),
            "streamArn": stream_of(mapping.source_arn),
        },
    }
    if discarded.result is not None:
        context = {"statusCode": 200, "executedVersion": function.version}
        error = discarded.result.function_error
        record["responseContext"] = {**context, "functionError": error} if error else context
    return Delivery(
        id=functions.ids.uuid(),
        kind=destinations.KIND,
        target_arn=on_failure,
        payload=json.dumps(record).encode(),
        scope=Scope(AccountId(target.account_id), Region(target.region)),
        created_at=now,
        cause=Cause(kind="invocation", id=discarded.request_id),
        source_arn=function.arn,
        attributes={
            "role_arn": function.role_arn,
            "function_arn": qualified(function.arn, function.version),
            "condition": discarded.condition,
        },
    )
