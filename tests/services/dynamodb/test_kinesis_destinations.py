"""A table's changes in a stream of Kinesis.

AWS: DynamoDB Developer Guide, "Using Kinesis Data Streams to capture changes to DynamoDB".
"""

import json
from typing import Any

from tests.platform import running
from tests.services.dynamodb.conftest import definition, message, refused
from tests.services.lambda_.queues import until


def records(kinesis: Any) -> list[dict[str, Any]]:
    """What is in the stream."""
    begin = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    iterator = kinesis.get_shard_iterator(**begin)["ShardIterator"]
    return [json.loads(record["Data"]) for record in kinesis.get_records(ShardIterator=iterator)["Records"]]


def test_every_change_is_a_record_with_both_images() -> None:
    """INSERT, MODIFY, REMOVE and an expiry; times in milliseconds, or in microseconds when asked for."""
    with running() as platform:
        dynamodb, kinesis = platform.client("dynamodb"), platform.client("kinesis")
        dynamodb.create_table(TableName="things", **definition("pk:S"))
        dynamodb.update_time_to_live(
            TableName="things", TimeToLiveSpecification={"AttributeName": "ends", "Enabled": True}
        )
        kinesis.create_stream(StreamName="s", ShardCount=1)
        arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
        made = dynamodb.enable_kinesis_streaming_destination(TableName="things", StreamArn=arn)
        assert (made["DestinationStatus"], made["StreamArn"]) == ("ENABLING", arn)
        dynamodb.put_item(TableName="things", Item={"pk": {"S": "a"}, "data": {"B": b"\x00\xff"}})
        dynamodb.update_item(
            TableName="things",
            Key={"pk": {"S": "a"}},
            UpdateExpression="SET v = :v",
            ExpressionAttributeValues={":v": {"N": "1"}},
        )
        dynamodb.delete_item(TableName="things", Key={"pk": {"S": "a"}})
        platform.drain()
        found = {record["eventName"]: record for record in records(kinesis)}
        assert found.keys() == {"INSERT", "MODIFY", "REMOVE"}
        insert, modify, remove = (found[name] for name in ("INSERT", "MODIFY", "REMOVE"))
        assert (insert["tableName"], insert["recordFormat"], insert["eventSource"]) == (
            "things", "application/json", "aws:dynamodb",
        )  # fmt: skip
        assert insert["userIdentity"] is None
        assert insert["dynamodb"]["Keys"] == {"pk": {"S": "a"}}
        assert insert["dynamodb"]["NewImage"] == {"pk": {"S": "a"}, "data": {"B": "AP8="}}
        assert "OldImage" not in insert["dynamodb"]
        assert modify["dynamodb"]["OldImage"] == insert["dynamodb"]["NewImage"]
        assert remove["dynamodb"]["OldImage"] == modify["dynamodb"]["NewImage"]
        now = platform.ask("/_undercast/status")["clock"]["now"]
        assert abs(insert["dynamodb"]["ApproximateCreationDateTime"] / 1000 - now) < 3600
        dynamodb.update_kinesis_streaming_destination(
            TableName="things",
            StreamArn=arn,
            UpdateKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
        )
        dynamodb.put_item(TableName="things", Item={"pk": {"S": "b"}, "ends": {"N": str(int(now) + 60)}})
        platform.advance(600)
        until(lambda: any(record["userIdentity"] for record in records(kinesis)))
        expired = [record for record in records(kinesis) if record["userIdentity"]]
        assert [(record["eventName"], record["userIdentity"]) for record in expired] == [
            ("REMOVE", {"principalId": "dynamodb.amazonaws.com", "type": "Service"})
        ]
        assert abs(expired[0]["dynamodb"]["ApproximateCreationDateTime"] / 1_000_000 - now - 600) < 3600
        dynamodb.disable_kinesis_streaming_destination(TableName="things", StreamArn=arn)
        dynamodb.put_item(TableName="things", Item={"pk": {"S": "c"}})
        platform.drain()
        assert "c" not in {record["dynamodb"]["Keys"]["pk"]["S"] for record in records(kinesis)}


def test_a_destination_goes_through_its_states(dynamodb: Any, platform: Any, account: str) -> None:
    """Described when disabled, too; AWS's texts."""
    dynamodb.create_table(TableName="things", **definition("pk:S"))
    arn = f"arn:aws:kinesis:us-east-1:{account}:stream/s"
    of = {"TableName": "things", "StreamArn": arn}
    code, _ = refused(dynamodb.enable_kinesis_streaming_destination, **of)
    assert code == "ResourceNotFoundException"
    platform.client("kinesis", account=account).create_stream(StreamName="s", ShardCount=1)
    text = message(dynamodb.disable_kinesis_streaming_destination, **of)
    assert text.endswith("KinesisStreamingDestination must be ACTIVE to perform DISABLE operation.")
    dynamodb.enable_kinesis_streaming_destination(**of)
    text = message(dynamodb.enable_kinesis_streaming_destination, **of)
    assert text.startswith("Table is not in a valid state to enable Kinesis Streaming Destination: ")

    def described() -> list[dict[str, Any]]:
        answer = dynamodb.describe_kinesis_streaming_destination(TableName="things")
        found: list[dict[str, Any]] = answer["KinesisDataStreamDestinations"]
        return found

    shown = {"StreamArn": arn, "ApproximateCreationDateTimePrecision": "MILLISECOND"}
    assert described() == [{**shown, "DestinationStatus": "ACTIVE"}]
    dynamodb.update_table(TableName="things", DeletionProtectionEnabled=False)
    assert described() == [{**shown, "DestinationStatus": "ACTIVE"}]
    dynamodb.disable_kinesis_streaming_destination(**of)
    assert described() == [{**shown, "DestinationStatus": "DISABLED"}]
