"""Tables through boto3.

AWS: DynamoDB API Reference, CreateTable, UpdateTable, DescribeTable, DeleteTable, ListTables.
"""

from typing import Any

import pytest

from tests.services.dynamodb.conftest import Make, definition, message, refused

GSI = {
    "IndexName": "by-g",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


def test_a_table_is_active_after_it_was_created(dynamodb: Any) -> None:
    """S2-35: two key attributes, PAY_PER_REQUEST; the call itself answers CREATING."""
    made = dynamodb.create_table(TableName="DynamoDbTable", **definition("pKey:S sKey:S"))["TableDescription"]
    assert (made["TableStatus"], made["ItemCount"]) == ("CREATING", 0)
    dynamodb.get_waiter("table_exists").wait(TableName="DynamoDbTable")
    found = dynamodb.describe_table(TableName="DynamoDbTable")["Table"]
    assert (found["TableStatus"], found["TableId"]) == ("ACTIVE", made["TableId"])
    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert found["KeySchema"] == [
        {"AttributeName": "pKey", "KeyType": "HASH"},
        {"AttributeName": "sKey", "KeyType": "RANGE"},
    ]
    assert found["TableArn"].endswith(":table/DynamoDbTable")
    code, text = refused(dynamodb.create_table, TableName="DynamoDbTable", **definition("pKey:S"))
    assert (code, text) == ("ResourceInUseException", "Table already exists: DynamoDbTable")


def test_a_deleted_table_is_gone_with_its_items(dynamodb: Any) -> None:
    """A table of the same name begins empty."""
    dynamodb.create_table(TableName="gone", **definition("pk:S"))
    dynamodb.put_item(TableName="gone", Item={"pk": {"S": "a"}})
    assert dynamodb.describe_table(TableName="gone")["Table"]["ItemCount"] == 1
    assert dynamodb.delete_table(TableName="gone")["TableDescription"]["TableStatus"] == "DELETING"
    assert refused(dynamodb.describe_table, TableName="gone") == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: gone not found",
    )
    code, text = refused(dynamodb.get_item, TableName="gone", Key={"pk": {"S": "a"}})
    assert (code, text) == ("ResourceNotFoundException", "Requested resource not found")
    dynamodb.create_table(TableName="gone", **definition("pk:S"))
    assert dynamodb.scan(TableName="gone")["Count"] == 0


def test_tables_are_listed_by_name_page_by_page(dynamodb: Any) -> None:
    """LastEvaluatedTableName is where the next page begins."""
    for name in ("ccc", "aaa", "bbb"):
        dynamodb.create_table(TableName=name, **definition("pk:S"))
    first = dynamodb.list_tables(Limit=2)
    assert (first["TableNames"], first["LastEvaluatedTableName"]) == (["aaa", "bbb"], "bbb")
    rest = dynamodb.list_tables(ExclusiveStartTableName="bbb")
    assert rest["TableNames"] == ["ccc"]
    assert "LastEvaluatedTableName" not in rest


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"KeySchema": [{"AttributeName": "pk", "KeyType": "RANGE"}]}, "first KeySchemaElement is not a HASH"),
        (
            {"KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}]},
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [x], AttributeDefinitions: [pk]",
        ),
        (
            {"AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "y")]},
            "Number of attributes in KeySchema does not exactly match number of attributes defined",
        ),
        ({"BillingMode": "PROVISIONED"}, "must both be specified when BillingMode is PROVISIONED"),
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        ({"GlobalSecondaryIndexes": [{**GSI, "Projection": {}}]}, "Unknown ProjectionType: null"),
        ({"LocalSecondaryIndexes": [GSI]}, "Table KeySchema does not have a range key"),
        ({"StreamSpecification": {"StreamEnabled": True}}, "StreamViewType is required"),
        ({"TableName": "a"}, "Member must have length greater than or equal to 3"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(dynamodb: Any, change: dict[str, Any], text: str) -> None:
    """AWS's texts; no table is made."""
    params = {"TableName": "refused", **definition("pk:S"), **change}
    if change.get("TableName") == "a":
        text = "TableName must be at least 3 characters long"
    assert text in message(dynamodb.create_table, **params)
    assert dynamodb.list_tables()["TableNames"] == []


def test_no_throughput_at_all_is_refused(dynamodb: Any) -> None:
    """BillingMode is PROVISIONED unless it is said."""
    params = definition("pk:S")
    del params["BillingMode"]
    text = message(dynamodb.create_table, TableName="none", **params)
    assert text == "No provisioned throughput specified for the table"


def test_a_table_is_updated(dynamodb: Any, make_table: Make) -> None:
    """Billing, throughput, deletion protection."""
    name = make_table()
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    dynamodb.update_table(TableName=name, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    found = dynamodb.describe_table(TableName=name)["Table"]
    assert found["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    assert "will not change" in message(dynamodb.update_table, TableName=name, ProvisionedThroughput=units)
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=True)
    assert "protected against deletion" in message(dynamodb.delete_table, TableName=name)
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=name)


def test_a_new_index_is_filled_and_a_deleted_one_is_gone(dynamodb: Any, make_table: Make) -> None:
    """Items whose attribute cannot be the index's key are left out of it."""
    name = make_table()
    for number in range(5):
        item = {"pk": {"S": str(number)}, "g": {"S": "odd" if number % 2 else "even"}}
        dynamodb.put_item(TableName=name, Item=item)
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "n"}, "g": {"N": "1"}})
    dynamodb.update_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "g", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": GSI}],
    )
    query = {
        "TableName": name,
        "IndexName": "by-g",
        "KeyConditionExpression": "g = :g",
        "ExpressionAttributeValues": {":g": {"S": "odd"}},
    }
    assert sorted(item["pk"]["S"] for item in dynamodb.query(**query)["Items"]) == ["1", "3"]
    assert dynamodb.scan(TableName=name, IndexName="by-g")["Count"] == 5
    assert "Type mismatch for Index Key g Expected: S Actual: N IndexName: by-g" in message(
        dynamodb.put_item, TableName=name, Item={"pk": {"S": "n"}, "g": {"N": "1"}}
    )
    dynamodb.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-g"}}])
    assert message(dynamodb.query, **query) == "The table does not have the specified index: by-g"
    assert "GlobalSecondaryIndexes" not in dynamodb.describe_table(TableName=name)["Table"]


def test_tags_and_time_to_live_settings(dynamodb: Any, make_table: Make) -> None:
    """They are told as they were set."""
    name = make_table(Tags=[{"Key": "a", "Value": "1"}])
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    wanted = {"AttributeName": "ends", "Enabled": True}
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
    found = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ends"}
    text = message(dynamodb.update_time_to_live, TableName=name, TimeToLiveSpecification=wanted)
    assert text == "TimeToLive is already enabled"
    other = {"AttributeName": "other", "Enabled": True}
    text = message(dynamodb.update_time_to_live, TableName=name, TimeToLiveSpecification=other)
    assert text == "TimeToLive is active on a different AttributeName: current AttributeName is ends"
    assert dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]


def test_an_update_of_nothing_is_none(dynamodb: Any, make_table: Make) -> None:
    """A list without an update in it is nothing, too."""
    name = make_table()
    nothings: tuple[dict[str, Any], ...] = ({}, {"GlobalSecondaryIndexUpdates": []})
    for nothing in nothings:
        text = message(dynamodb.update_table, TableName=name, **nothing)
        assert text.startswith("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, ")
    dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)


def test_what_is_not_here_is_refused_by_name(dynamodb: Any) -> None:
    """Neither an operation nor a parameter is accepted and ignored."""
    code, text = refused(dynamodb.describe_global_table, GlobalTableName="ttt")
    assert (code, "dynamodb:DescribeGlobalTable" in text) == ("NotImplemented", True)
    code, text = refused(dynamodb.create_table, TableName="ttt", GlobalTableSourceArn="arn:x", **definition("pk:S"))
    assert (code, "GlobalTableSourceArn" in text) == ("NotImplemented", True)
