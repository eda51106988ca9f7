"""What a change tells the rest of the platform: the bell of its stream, and the edge of its cause (I10).

AWS: none; the trace is ours.
"""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.services.dynamodb.conftest import definition
from tests.state import halted_before_commit
from tests.unit.dynamodb.conftest import Ground
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.core.metrics import Metrics
from undercast.services import table_streams
from undercast.services.dynamodb import tables
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.expiry import Expiry
from undercast.services.dynamodb.measures import Measures
from undercast.services.dynamodb.models import TableName
from undercast.services.dynamodb.service import MANIFEST
from undercast.services.dynamodb.throttle import Throttle
from undercast.services.dynamodbstreams.instance import Streams
from undercast.services.dynamodbstreams.measures import Measures as StreamsMeasures
from undercast.services.dynamodbstreams.service import MANIFEST as STREAMS
from undercast.store.database import Tx


async def test_a_commit_rings_the_bell_of_the_stream(ground: Ground) -> None:
    """Not a write that is refused, nor one that changes nothing."""
    with ground.dynamo.arrivals.listen(ground.stream_arn) as bell:
        await ground.put(ground.ctx)
        assert bell.is_set()
        bell.clear()
        await ground.put(ground.ctx)
        with pytest.raises(ServiceError):
            await ground.put(replace(ground.ctx, request_id="2"), ConditionExpression="attribute_not_exists(pk)")
        assert not bell.is_set()


async def test_a_table_as_a_transaction_saw_it_that_was_rolled_back_is_not_kept(ground: Ground) -> None:
    """Within it the change is seen; behind it the table is what it was."""
    dynamo, of = ground.dynamo, TableName(ground.ctx.scope, "watched")

    def change(tx: Tx) -> None:
        tables.set_tags(tx, tables.existing(tx, of), {"a": "b"})
        dynamo.tables.changed(tx, of)
        assert dynamo.tables.get(tx, of).tags == {"a": "b"}
        raise KeyError

    with pytest.raises(KeyError):
        await dynamo.database.write(change)
    found = dynamo.tables.find(of)
    assert found is not None
    assert found.tags == {}


async def test_a_large_table_is_gone_at_once_and_swept_in_pieces(ground: Ground) -> None:
    """A table of its name can be made again meanwhile, and is another one."""
    operations, dynamo = MANIFEST.operations, ground.dynamo
    for at in range(0, 1200, 24):
        puts = [{"PutRequest": {"Item": {"pk": {"S": str(number)}}}} for number in range(at, at + 24)]
        await operations["BatchWriteItem"](dynamo, ground.ctx, {"RequestItems": {"watched": puts}})
    await operations["DeleteTable"](dynamo, ground.ctx, {"TableName": "watched"})
    listed: Any = await operations["ListTables"](dynamo, ground.ctx, {})
    assert listed["TableNames"] == []
    await operations["CreateTable"](dynamo, ground.ctx, {"TableName": "watched", **definition("pk:S")})
    await ground.put(ground.ctx)

    def rows() -> list[int]:
        return dynamo.database.read_now(
            lambda tx: [tx.all(f"SELECT COUNT(*) FROM {name}")[0][0] for name in ("dynamodb_table", "dynamodb_item")]
        )

    assert rows() == [2, 1201]
    await Expiry(dynamo).round()
    assert rows() == [1, 1]
    page: Any = await operations["Scan"](dynamo, ground.ctx, {"TableName": "watched"})
    assert page["Count"] == 1


async def test_an_item_that_expired_long_ago_stays(ground: Ground) -> None:
    """AWS: Developer Guide, "Using time to live (TTL) in DynamoDB": not one that is five years or more in the past."""
    operations, dynamo = MANIFEST.operations, ground.dynamo
    ttl = {"Enabled": True, "AttributeName": "ttl"}
    await operations["UpdateTimeToLive"](dynamo, ground.ctx, {"TableName": "watched", "TimeToLiveSpecification": ttl})
    for years in (-1, 1, 4, 6):
        item = {"pk": {"S": str(years)}, "ttl": {"N": str(int(dynamo.clock.now() - years * 365 * 86_400))}}
        await operations["PutItem"](dynamo, ground.ctx, {"TableName": "watched", "Item": item})
    await Expiry(dynamo).round()
    page: Any = await operations["Scan"](dynamo, ground.ctx, {"TableName": "watched"})
    assert sorted(item["pk"]["S"] for item in page["Items"]) == ["-1", "6"]


async def test_a_request_token_is_kept_for_ten_minutes(ground: Ground) -> None:
    """AWS: API Reference, TransactWriteItems, ClientRequestToken."""
    dynamo = ground.dynamo

    def kept() -> int:
        return int(dynamo.database.read_now(lambda tx: tx.all("SELECT COUNT(*) FROM dynamodb_token")[0][0]))

    put = {"Put": {"TableName": "watched", "Item": {"pk": {"S": "a"}}}}
    params = {"TransactItems": [put], "ClientRequestToken": "token"}
    await MANIFEST.operations["TransactWriteItems"](dynamo, ground.ctx, params)
    dynamo.clock.advance(540)
    await Expiry(dynamo).round()
    assert kept() == 1
    dynamo.clock.advance(61)
    await Expiry(dynamo).round()
    assert kept() == 0


async def test_a_used_up_index_refuses_a_write_to_its_table(ground: Ground) -> None:
    """AWS: Developer Guide, "Global secondary indexes", provisioned throughput considerations; a read goes on."""
    clock = FakeClock()
    throttle = Throttle(clock, Measures(Metrics(), clock), enabled=True)
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    index = {
        "IndexName": "index",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": units,
    }
    params = definition("pk:S", BillingMode="PROVISIONED", ProvisionedThroughput=units, GlobalSecondaryIndexes=[index])
    await MANIFEST.operations["CreateTable"](ground.dynamo, ground.ctx, {"TableName": "indexed", **params})
    table = ground.dynamo.tables.find(TableName(ground.ctx.scope, "indexed"))
    assert table is not None
    assert throttle.allows(table, "Write")
    throttle.charge(table, "Write", Units(indexes={"index": 300.0}))
    assert not throttle.allows(table, "Write")
    assert throttle.allows(table, "Read")
    clock.advance(2)
    assert throttle.allows(table, "Write")


async def test_a_functions_write_leads_to_its_record(ground: Ground) -> None:
    """call -> record, in the commit of a function's write; that of a call from outside goes through the journal."""
    await ground.put(ground.ctx)
    await ground.put(replace(ground.ctx, request_id="call-1", cause=Cause(kind="invocation", id="invocation-1")))
    rows = ground.state.database.read_now(
        lambda tx: tx.all("SELECT event_id FROM dynamodbstreams_record ORDER BY sequence")
    )
    edges = ground.state.database.read_now(
        lambda tx: [tuple(row) for row in tx.all("SELECT from_kind, from_id, to_kind, to_id FROM causal_edge")]
    )
    assert edges == [("call", "call-1", "record", rows[1]["event_id"])]


async def test_only_what_can_be_restored_is_kept(ground: Ground) -> None:
    """The log of changes: nothing while recovery is off, trimmed at its far end, gone when it is switched off."""
    dynamo = ground.dynamo

    async def recover(**wanted: Any) -> None:
        params = {"TableName": "watched", "PointInTimeRecoverySpecification": wanted}
        await MANIFEST.operations["UpdateContinuousBackups"](dynamo, ground.ctx, params)

    def kept() -> int:
        return int(dynamo.database.read_now(lambda tx: tx.all("SELECT COUNT(*) FROM dynamodb_change")[0][0]))

    await ground.put(ground.ctx)
    assert kept() == 0
    await recover(PointInTimeRecoveryEnabled=True, RecoveryPeriodInDays=1)
    await ground.put(replace(ground.ctx, request_id="2"))
    dynamo.clock.advance(0.75 * 86_400)
    await ground.put(replace(ground.ctx, request_id="3"))
    dynamo.clock.advance(0.75 * 86_400)
    assert kept() == 2
    await Expiry(dynamo).round()
    assert kept() == 1
    await recover(PointInTimeRecoveryEnabled=False)
    await ground.put(replace(ground.ctx, request_id="4"))
    await Expiry(dynamo).round()
    assert kept() == 0


async def test_a_streams_row_from_before_a_long_write_is_not_kept(ground: Ground) -> None:
    """Whoever reads it before the COMMIT reads it anew afterwards."""
    database, arn = ground.state.database, ground.stream_arn
    streams = Streams(database, ground.dynamo.clock, StreamsMeasures(Metrics(), ground.dynamo.clock))

    def found() -> str:
        row = streams.find(arn)
        assert row is not None
        return str(row["policy"])

    writing = database.write(lambda tx: table_streams.set_policy(tx, arn, "new", "1"), long=True)
    async with halted_before_commit(database, writing):
        assert found() == ""
    assert found() == "new"


async def test_a_streams_row_is_read_when_something_has_changed(ground: Ground) -> None:
    """Once for authorisation and operation together; a poll of an idle stream does not read it again."""
    dynamo, database = ground.dynamo, ground.state.database
    streams = Streams(database, dynamo.clock, StreamsMeasures(Metrics(), dynamo.clock))
    read: list[str] = []

    async def poll(iterator: str) -> Any:
        """(what GetRecords gives, the policy that it was authorised by)"""
        assert STREAMS.access is not None
        params = {"ShardIterator": iterator}
        (access,) = await STREAMS.access(streams, ground.ctx, "GetRecords", params)
        return await STREAMS.operations["GetRecords"](streams, ground.ctx, params), access.resource_policy

    described: Any = await STREAMS.operations["DescribeStream"](streams, ground.ctx, {"StreamArn": ground.stream_arn})
    (shard,) = described["StreamDescription"]["Shards"]
    asked = {"StreamArn": ground.stream_arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    begun: Any = await STREAMS.operations["GetShardIterator"](streams, ground.ctx, asked)
    await ground.put(ground.ctx)
    database._inline.set_trace_callback(lambda sql: read.append(sql) if "FROM dynamodbstreams_stream" in sql else None)
    answer, policy = await poll(begun["ShardIterator"])
    assert (len(answer["Records"]), policy, len(read)) == (1, None, 1)
    for _ in range(2):
        answer, _ = await poll(answer["NextShardIterator"])
    assert (answer["Records"], len(read)) == ([], 1)
    statement = {"Effect": "Deny", "Principal": "*", "Action": "dynamodb:GetRecords", "Resource": ground.stream_arn}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    given = {"ResourceArn": ground.stream_arn, "Policy": json.dumps(document)}
    await MANIFEST.operations["PutResourcePolicy"](dynamo, ground.ctx, given)
    _, policy = await poll(answer["NextShardIterator"])
    assert policy == document
