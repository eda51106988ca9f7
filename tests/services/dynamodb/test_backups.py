"""Backups through boto3.

AWS: DynamoDB Developer Guide, "Backup and restore for DynamoDB".
"""

from typing import Any

from tests.services.dynamodb.conftest import Make, refused

INDEX = {
    "IndexName": "by-g",
    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


def test_a_table_is_restored_as_it_was(dynamodb: Any, make_table: Make) -> None:
    """Items and indexes; what was written later is not in it, and the table may be gone."""
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    name = make_table("pk:S", {"g": "S"}, GlobalSecondaryIndexes=[INDEX], StreamSpecification=stream)
    for number in range(100):
        item = {"pk": {"S": str(number)}, "g": {"S": str(number % 2)}, "b": {"B": b"\x00"}}
        dynamodb.put_item(TableName=name, Item=item)
    made = dynamodb.create_backup(TableName=name, BackupName="first")["BackupDetails"]
    assert made["BackupStatus"] == "CREATING"
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "later"}})
    found = dynamodb.describe_backup(BackupArn=made["BackupArn"])["BackupDescription"]
    assert (found["BackupDetails"]["BackupStatus"], found["SourceTableDetails"]["ItemCount"]) == ("AVAILABLE", 100)
    dynamodb.delete_table(TableName=name)
    restored = f"{name}-restored"
    dynamodb.restore_table_from_backup(TargetTableName=restored, BackupArn=made["BackupArn"])
    dynamodb.get_waiter("table_exists").wait(TableName=restored)
    table = dynamodb.describe_table(TableName=restored)["Table"]
    assert (table["ItemCount"], "LatestStreamArn" in table) == (100, False)
    assert dynamodb.get_item(TableName=restored, Key={"pk": {"S": "7"}})["Item"]["b"] == {"B": b"\x00"}
    query = {"KeyConditionExpression": "g = :g", "ExpressionAttributeValues": {":g": {"S": "1"}}}
    assert dynamodb.query(TableName=restored, IndexName="by-g", **query)["Count"] == 50
    code, _ = refused(dynamodb.restore_table_from_backup, TargetTableName=restored, BackupArn=made["BackupArn"])
    assert code == "TableAlreadyExistsException"


def test_a_restored_table_may_be_another_one(dynamodb: Any, make_table: Make) -> None:
    """Billing and indexes of the request."""
    name = make_table("pk:S", {"g": "S"}, GlobalSecondaryIndexes=[INDEX])
    arn = dynamodb.create_backup(TableName=name, BackupName="one")["BackupDetails"]["BackupArn"]
    dynamodb.restore_table_from_backup(
        TargetTableName=f"{name}-2",
        BackupArn=arn,
        GlobalSecondaryIndexOverride=[],
        BillingModeOverride="PROVISIONED",
        ProvisionedThroughputOverride={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
    )
    table = dynamodb.describe_table(TableName=f"{name}-2")["Table"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
    assert "GlobalSecondaryIndexes" not in table


def test_backups_are_listed_and_deleted(dynamodb: Any, make_table: Make) -> None:
    """By table, page by page; a deleted one is not there."""
    one, two = make_table(), make_table()
    for table, name in ((one, "aaa"), (two, "bbb"), (one, "ccc")):
        dynamodb.create_backup(TableName=table, BackupName=name)

    def names(**params: Any) -> list[str]:
        return [backup["BackupName"] for backup in dynamodb.list_backups(**params)["BackupSummaries"]]

    assert names() == ["aaa", "bbb", "ccc"]
    assert names(TableName=one) == ["aaa", "ccc"]
    page = dynamodb.list_backups(Limit=2)
    assert names(ExclusiveStartBackupArn=page["LastEvaluatedBackupArn"]) == ["ccc"]
    arn = page["BackupSummaries"][0]["BackupArn"]
    deleted = dynamodb.delete_backup(BackupArn=arn)["BackupDescription"]
    assert deleted["BackupDetails"]["BackupStatus"] == "DELETED"
    assert refused(dynamodb.describe_backup, BackupArn=arn)[0] == "BackupNotFoundException"
    assert refused(dynamodb.create_backup, TableName="nowhere", BackupName="ddd")[0] == "TableNotFoundException"
    assert names() == ["bbb", "ccc"]
