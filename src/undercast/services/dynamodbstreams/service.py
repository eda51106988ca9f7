"""DynamoDB Streams' manifest: reads what DynamoDB wrote (`services/table_streams.py`).

AWS: DynamoDB Streams API Reference.
"""

import json

from undercast.core.arn import AccountId, Arn
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Access, Manifest, Params, operations_of
from undercast.services.dynamodbstreams import iterators, operations
from undercast.services.dynamodbstreams.instance import Streams
from undercast.services.dynamodbstreams.measures import Measures
from undercast.services.dynamodbstreams.members import EFFECTIVE
from undercast.services.parts import Parts


def build(parts: Parts) -> Streams:
    """The instance that every operation gets."""
    return Streams(parts.database, parts.platform_clock, Measures(parts.metrics, parts.platform_clock))


async def access(streams: Streams, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`. The actions are DynamoDB's."""
    action = f"dynamodb:{operation}"
    if operation == "ListStreams":
        return (Access(action=action, resource="*"),)
    text = params["StreamArn"] if "StreamArn" in params else iterators.read(params["ShardIterator"]).stream_arn
    arn = Arn.parse(text)
    if arn.service != "dynamodb" or "/stream/" not in arn.resource:
        raise ServiceError("ValidationException", f"Invalid StreamArn: {text}")
    stream = streams.find(text)
    policy = stream["policy"] if stream is not None else ""

    def needed() -> Access:
        account, parsed = AccountId(arn.account_id), json.loads(policy) if policy else None
        return Access(action=action, resource=text, resource_account_id=account, resource_policy=parsed)

    return (streams.accesses.find(action, text, policy, needed),)


async def _start(streams: Streams) -> None:
    streams.rounds.start(at_once=True)


async def _stop(streams: Streams) -> None:
    await streams.rounds.stop()


def _reset(streams: Streams) -> None:
    streams.forget()


MANIFEST = Manifest(
    name="dynamodbstreams",
    build=build,
    operations=operations_of(operations),
    access=access,
    effective=EFFECTIVE,
    start=_start,
    stop=_stop,
    reset=_reset,
    differences=(
        "A stream has one open shard at a time, however large its table is; it is followed by a child after four hours "
        "or 100,000 sequence numbers.",
        "GetRecords is not limited in how often it is called.",
        "CloudWatch is told SuccessfulRequestLatency, ReturnedRecordsCount and ReturnedBytes of GetRecords, also of "
        "what event source mappings and pipes read; a mapping waits for news instead of asking four times a second, "
        "and so reads less often than on AWS.",
    ),
)
