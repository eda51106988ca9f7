"""Metrics of tables, on the real platform.

AWS: DynamoDB Developer Guide, "DynamoDB Metrics and dimensions".
"""

from typing import Any

from tests import platform as platforms
from tests.platform import RunningPlatform
from tests.services.dynamodb.conftest import definition, refused
from tests.services.measured import measured

ONE = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}


def key(text: str) -> dict[str, Any]:
    return {"pk": {"S": text}}


def test_what_a_table_gives_and_takes_is_told(platform: RunningPlatform, account: str, dynamodb: Any) -> None:
    """Capacity of reads, writes, batches, transactions and statements; latencies, counts and errors by operation."""
    cloudwatch = platform.client("cloudwatch", account=account)
    dynamodb.create_table(TableName="things", **definition("pk:S"))
    dynamodb.put_item(TableName="things", Item={**key("a"), "data": {"S": "x" * 1500}})  # 2 units
    dynamodb.batch_write_item(RequestItems={"things": [{"PutRequest": {"Item": key(one)}} for one in "bc"]})  # 2
    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": "things", "Item": key("d")}}])  # 2
    dynamodb.execute_statement(Statement="INSERT INTO things VALUE {'pk': 'e'}")  # 1
    dynamodb.get_item(TableName="things", Key=key("a"), ConsistentRead=True)  # 1
    dynamodb.batch_get_item(RequestItems={"things": {"Keys": [key("a"), key("b")]}})  # 2 times 0.5
    dynamodb.scan(TableName="things")  # 0.5
    check = {"ConditionExpression": "attribute_not_exists(pk)"}
    assert (
        refused(dynamodb.put_item, TableName="things", Item=key("a"), **check)[0] == "ConditionalCheckFailedException"
    )
    refused(dynamodb.get_item, TableName="things", Key={"other": {"S": "a"}})

    def told(metric: str, statistic: str = "Sum", **dimensions: str) -> float | None:
        return measured(cloudwatch, "AWS/DynamoDB", metric, statistic, **dimensions)

    assert told("ConsumedWriteCapacityUnits", TableName="things") == 2 + 2 + 2 + 1
    assert told("ConsumedReadCapacityUnits", TableName="things") == 1 + 1 + 0.5
    for operation, requests in (("PutItem", 1), ("GetItem", 1), ("BatchWriteItem", 1), ("Scan", 1)):
        of_operation = {"TableName": "things", "Operation": operation}
        assert told("SuccessfulRequestLatency", "SampleCount", **of_operation) == requests
    assert told("ReturnedItemCount", TableName="things", Operation="Scan") == 5
    assert told("ConditionalCheckFailedRequests", TableName="things") == 1
    assert told("UserErrors") == 1
    assert told("ThrottledRequests", TableName="things", Operation="PutItem") is None


def test_a_global_index_counts_for_itself(platform: RunningPlatform, account: str, dynamodb: Any) -> None:
    """By TableName and GlobalSecondaryIndexName; the table's own number is without it."""
    cloudwatch = platform.client("cloudwatch", account=account)
    given = definition("pk:S")
    index = {
        "IndexName": "by-kind",
        "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    names = [*given["AttributeDefinitions"], {"AttributeName": "kind", "AttributeType": "S"}]
    dynamodb.create_table(
        TableName="indexed", **{**given, "AttributeDefinitions": names, "GlobalSecondaryIndexes": [index]}
    )
    dynamodb.put_item(TableName="indexed", Item={**key("a"), "kind": {"S": "k"}})
    dynamodb.put_item(TableName="indexed", Item=key("b"))

    def told(**dimensions: str) -> float | None:
        return measured(cloudwatch, "AWS/DynamoDB", "ConsumedWriteCapacityUnits", TableName="indexed", **dimensions)

    assert (told(), told(GlobalSecondaryIndexName="by-kind")) == (2, 1)


def test_throttled_requests_are_told() -> None:
    """--throttle-tables: by table and operation, and by kind."""
    with platforms.running(options=["--throttle-tables"]) as running:
        dynamodb, cloudwatch = running.client("dynamodb"), running.client("cloudwatch")
        params = {**definition("pk:S"), "BillingMode": "PROVISIONED", "ProvisionedThroughput": ONE}
        dynamodb.create_table(TableName="small", **params)
        put = {"TableName": "small", "Item": {**key("a"), "data": {"S": "x" * 350_000}}}
        dynamodb.put_item(**put)
        assert refused(dynamodb.put_item, **put)[0] == "ProvisionedThroughputExceededException"
        of_put = {"TableName": "small", "Operation": "PutItem"}
        assert measured(cloudwatch, "AWS/DynamoDB", "ThrottledRequests", **of_put) == 1
        assert measured(cloudwatch, "AWS/DynamoDB", "WriteThrottleEvents", TableName="small") == 1
