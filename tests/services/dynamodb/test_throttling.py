"""Tables that are held to their provisioned throughput.

AWS: DynamoDB Developer Guide, "Burst and adaptive capacity"; API Reference, ProvisionedThroughputExceededException.
"""

from typing import Any

from tests import platform as platforms
from tests.services.dynamodb.conftest import definition, refused

ONE = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}


def test_a_table_is_throttled_when_five_minutes_of_units_are_used() -> None:
    """S4-06: 300 seconds of burst, then one unit a second; a table on demand is never throttled."""
    with platforms.running(options=["--throttle-tables"]) as running:
        dynamodb = running.client("dynamodb")
        params = {**definition("pk:S"), "BillingMode": "PROVISIONED", "ProvisionedThroughput": ONE}
        dynamodb.create_table(TableName="provisioned", **params)
        dynamodb.create_table(TableName="on-demand", **definition("pk:S"))
        large: dict[str, Any] = {"pk": {"S": "a"}, "data": {"S": "x" * 150_000}}
        put = {"TableName": "provisioned", "Item": large}
        for _ in range(3):
            dynamodb.put_item(**put)
        code, text = refused(dynamodb.put_item, **put)
        assert code == "ProvisionedThroughputExceededException"
        assert text.startswith("The level of configured provisioned throughput for the table was exceeded.")
        request = [{"PutRequest": {"Item": {"pk": {"S": "b"}}}}]
        code, _ = refused(dynamodb.batch_write_item, RequestItems={"provisioned": request})
        assert code == "ProvisionedThroughputExceededException"
        batch = dynamodb.batch_write_item(RequestItems={"provisioned": request, "on-demand": request})
        assert batch["UnprocessedItems"] == {"provisioned": request}
        items = [{"Put": {"TableName": "provisioned", "Item": {"pk": {"S": "c"}}}}]
        code, text = refused(dynamodb.transact_write_items, TransactItems=items)
        assert (code, text[-31:]) == ("TransactionCanceledException", "[ProvisionedThroughputExceeded]")
        assert dynamodb.get_item(TableName="provisioned", Key={"pk": {"S": "a"}})["Item"] == large
        running.advance(200)
        dynamodb.put_item(**put)
        for _ in range(20):
            dynamodb.put_item(TableName="on-demand", Item=large)


def test_provisioned_tables_are_not_throttled_without_the_option(dynamodb: Any) -> None:
    """The default."""
    params = {**definition("pk:S"), "BillingMode": "PROVISIONED", "ProvisionedThroughput": ONE}
    dynamodb.create_table(TableName="free", **params)
    for _ in range(5):
        dynamodb.put_item(TableName="free", Item={"pk": {"S": "a"}, "data": {"S": "x" * 150_000}})
