"""Consumers with enhanced fan-out, and SubscribeToShard.

AWS: Kinesis API Reference, RegisterStreamConsumer, SubscribeToShard; Developer Guide, "Develop enhanced fan-out
consumers with dedicated throughput".
"""

from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.page_tokens import name_of, token_of
from undercast.core.service import Params, operation
from undercast.services.kinesis import encryption, places, store
from undercast.services.kinesis.errors import dry_run, in_use, invalid, limit, no_consumer
from undercast.services.kinesis.instance import Kinesis
from undercast.services.kinesis.models import Consumer, Stream, named_by_arn
from undercast.services.kinesis.operations.tags import check_tags
from undercast.services.kinesis.records import Limits, Page, read
from undercast.services.kinesis.subscriptions import Shard
from undercast.store.database import Row, Tx

MOST_CONSUMERS = 20
_MOST_LISTED = 100
_EVENT = Limits(500, 256 * 1024)


@operation("RegisterStreamConsumer")
async def register_stream_consumer(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new consumer, ACTIVE at once."""
    name, tags = params["ConsumerName"], check_tags({}, params.get("Tags", {}))

    def write(tx: Tx) -> Consumer:
        stream = store.existing(tx, named_by_arn(params["StreamARN"]))
        known = store.consumers(tx, stream.id)
        if any(one.name == name for one in known):
            raise in_use(f"Consumer {name} under stream {stream.of.name} already exists for account "
                         f"{stream.of.scope.account_id}.")  # fmt: skip
        if len(known) >= MOST_CONSUMERS:
            raise limit(f"Stream {stream.of.name} has {MOST_CONSUMERS} consumers, the most that there may be.")
        return store.add_consumer(tx, stream, name, tags, ctx.clock.now())

    return {"Consumer": _shown(await kinesis.database.write(write))}


@operation("DeregisterStreamConsumer")
async def deregister_stream_consumer(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Its subscriptions end."""

    def write(tx: Tx) -> None:
        consumer = _meant(tx, params)
        tx.execute("DELETE FROM kinesis_consumer WHERE id = ?", (consumer.id,))
        kinesis.policies.changed(tx, consumer.arn)
        tx.after_commit(lambda: kinesis.arrivals.ring(named_by_arn(consumer.arn).arn))

    await kinesis.database.write(write)
    return {}


@operation("DescribeStreamConsumer")
async def describe_stream_consumer(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By its ARN, or by its name and the stream's ARN."""
    consumer = kinesis.database.read_now(lambda tx: _meant(tx, params))
    return {"ConsumerDescription": {**_shown(consumer), "StreamARN": named_by_arn(consumer.arn).arn}}


@operation("ListStreamConsumers")
async def list_stream_consumers(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name."""
    most = min(params.get("MaxResults", _MOST_LISTED), _MOST_LISTED)
    try:
        after = name_of(params.get("NextToken"))
    except ValueError:
        raise invalid("NextToken is invalid.") from None

    def look(tx: Tx) -> list[Consumer]:
        stream = store.existing(tx, named_by_arn(params["StreamARN"]))
        created = params.get("StreamCreationTimestamp")
        if created is not None and int(created.timestamp()) != int(stream.created_at):
            return []
        return [one for one in store.consumers(tx, stream.id) if one.name > after]

    found = kinesis.database.read_now(look)
    answer: dict[str, Any] = {"Consumers": [_shown(one) for one in found[:most]]}
    return {**answer, "NextToken": token_of(found[most - 1].name)} if len(found) > most else answer


def _meant(tx: Tx, params: Params) -> Consumer:
    """Raises InvalidArgumentException, ResourceNotFoundException."""
    arn, name = params.get("ConsumerARN"), params.get("ConsumerName")
    if arn is not None:
        found = store.consumer_by_arn(tx, arn)
        if found is None:
            raise no_consumer(arn)
        return found
    if name is None or "StreamARN" not in params:
        raise invalid("Either ConsumerARN, or both StreamARN and ConsumerName must be specified.")
    stream = store.existing(tx, named_by_arn(params["StreamARN"]))
    for one in store.consumers(tx, stream.id):
        if one.name == name:
            return one
    raise no_consumer(name)


def _shown(consumer: Consumer) -> dict[str, Any]:
    return {
        "ConsumerName": consumer.name,
        "ConsumerARN": consumer.arn,
        "ConsumerStatus": "ACTIVE",
        "ConsumerCreationTimestamp": moment(consumer.created_at),
    }


@operation("SubscribeToShard")
async def subscribe_to_shard(kinesis: Kinesis, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Records as events, for five minutes."""
    arn = params["ConsumerARN"]

    def find(tx: Tx) -> tuple[Stream, Row, int]:
        stream, shard = _subscribed(tx, arn, params["ShardId"])
        start = places.of_position(params["StartingPosition"])
        return stream, shard, places.place(tx, stream, shard, start, ctx.clock.now())

    def page(place: int) -> Page:
        def look(tx: Tx) -> tuple[Stream, int, Page]:
            stream, shard = _subscribed(tx, arn, params["ShardId"])
            return stream, shard["number"], read(tx, stream, (shard, place), _EVENT, ctx.clock.now())

        found = kinesis.database.read_now(look)
        kinesis.measures.published(*found)
        return found[2]

    stream, shard, place = kinesis.database.read_now(find)
    await encryption.check_subscription(ctx, stream)
    if params.get("DryRun"):
        raise dry_run()
    held = kinesis.subscriptions.begin(arn, shard["id"])
    of = Shard(stream.id, stream.of.arn, shard["number"])
    return {"EventStream": kinesis.subscriptions.events(held, of, place, page)}


def _subscribed(tx: Tx, consumer_arn: str, shard_id: str) -> tuple[Stream, Row]:
    """Raises ResourceNotFoundException, also when the stream or the consumer has gone meanwhile."""
    if store.consumer_by_arn(tx, consumer_arn) is None:
        raise no_consumer(consumer_arn)
    stream = store.existing(tx, named_by_arn(consumer_arn))
    return stream, store.shard(tx, stream, shard_id)
