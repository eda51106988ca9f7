"""Point-in-time recovery through boto3, on the platform's clock.

AWS: DynamoDB Developer Guide, "Point-in-time backups for DynamoDB".
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.platform import RunningPlatform
from tests.services.dynamodb.conftest import Make, message, refused
from tests.services.dynamodb.test_backups import INDEX

DAY_S = 86_400


def switch(dynamodb: Any, name: str, enabled: bool = True, **more: Any) -> dict[str, Any]:
    """UpdateContinuousBackups; PointInTimeRecoveryDescription."""
    wanted = {"PointInTimeRecoveryEnabled": enabled, **more}
    answer = dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=wanted)
    found: dict[str, Any] = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return found


def described(dynamodb: Any, name: str) -> dict[str, Any]:
    """PointInTimeRecoveryDescription of DescribeContinuousBackups."""
    answer = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert answer["ContinuousBackupsStatus"] == "ENABLED"
    found: dict[str, Any] = answer["PointInTimeRecoveryDescription"]
    return found


def restored(dynamodb: Any, name: str, target: str, **when: Any) -> dict[str, str]:
    """The items of a table of that moment: the attribute "v" by key."""
    dynamodb.restore_table_to_point_in_time(SourceTableName=name, TargetTableName=target, **when)
    items = dynamodb.scan(TableName=target)["Items"]
    return {item["pk"]["S"]: item.get("v", {}).get("S", "") for item in items}


def put(dynamodb: Any, name: str, **values: str) -> None:
    """One item per keyword."""
    for key, value in values.items():
        dynamodb.put_item(TableName=name, Item={"pk": {"S": key}, "v": {"S": value}})


def test_a_table_is_restored_to_any_second(dynamodb: Any, make_table: Make, platform: RunningPlatform) -> None:
    """What was put, changed and deleted later is as it was; what was there before recovery began is kept."""
    name = make_table("pk:S")
    put(dynamodb, name, old="1", gone="1")
    switch(dynamodb, name)
    platform.advance(10)
    first = described(dynamodb, name)["LatestRestorableDateTime"]
    platform.advance(10)
    put(dynamodb, name, old="2", new="2")
    dynamodb.delete_item(TableName=name, Key={"pk": {"S": "gone"}})
    platform.advance(10)
    second = described(dynamodb, name)["LatestRestorableDateTime"]
    platform.advance(10)
    put(dynamodb, name, old="3", gone="3")
    dynamodb.delete_item(TableName=name, Key={"pk": {"S": "new"}})
    assert restored(dynamodb, name, f"{name}-1", RestoreDateTime=first) == {"old": "1", "gone": "1"}
    assert restored(dynamodb, name, f"{name}-2", RestoreDateTime=second) == {"old": "2", "new": "2"}
    latest = restored(dynamodb, name, f"{name}-3", UseLatestRestorableTime=True)
    assert latest == {"old": "3", "gone": "3"}


def test_a_restored_table_says_of_what(dynamodb: Any, make_table: Make) -> None:
    """RestoreSummary; indexes are filled, and recovery is off in the new table."""
    name = make_table("pk:S", {"g": "S"}, GlobalSecondaryIndexes=[INDEX])
    switch(dynamodb, name)
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "a"}, "g": {"S": "x"}})
    source = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    target = f"{name}-2"
    answer = dynamodb.restore_table_to_point_in_time(
        SourceTableArn=source, TargetTableName=target, UseLatestRestorableTime=True
    )["TableDescription"]
    assert (answer["TableStatus"], answer["RestoreSummary"]["RestoreInProgress"]) == ("CREATING", True)
    summary = dynamodb.describe_table(TableName=target)["Table"]["RestoreSummary"]
    assert (summary["SourceTableArn"], summary["RestoreInProgress"]) == (source, False)
    query = {"KeyConditionExpression": "g = :g", "ExpressionAttributeValues": {":g": {"S": "x"}}}
    assert dynamodb.query(TableName=target, IndexName="by-g", **query)["Count"] == 1
    assert described(dynamodb, target) == {"PointInTimeRecoveryStatus": "DISABLED"}


def test_only_the_recovery_period_can_be_restored(dynamodb: Any, make_table: Make, platform: RunningPlatform) -> None:
    """From when it was switched on, and no further back than RecoveryPeriodInDays."""
    name = make_table("pk:S")
    on = switch(dynamodb, name, RecoveryPeriodInDays=2)
    start: datetime = on["EarliestRestorableDateTime"]
    assert (on["PointInTimeRecoveryStatus"], on["RecoveryPeriodInDays"]) == ("ENABLED", 2)
    put(dynamodb, name, a="1")
    platform.advance(DAY_S)
    put(dynamodb, name, a="2")
    platform.advance(1.5 * DAY_S)
    now = described(dynamodb, name)
    length = now["LatestRestorableDateTime"] - now["EarliestRestorableDateTime"]
    assert length == timedelta(days=2)
    for wrong in (start, now["LatestRestorableDateTime"] + timedelta(hours=1)):
        code, _ = refused(
            dynamodb.restore_table_to_point_in_time,
            SourceTableName=name,
            TargetTableName=f"{name}-0",
            RestoreDateTime=wrong,
        )
        assert code == "InvalidRestoreTimeException"
    after = start + timedelta(days=0.75)
    assert restored(dynamodb, name, f"{name}-1", RestoreDateTime=after) == {"a": "1"}
    shorter = switch(dynamodb, name, RecoveryPeriodInDays=1)["EarliestRestorableDateTime"]
    again = switch(dynamodb, name)
    assert again["RecoveryPeriodInDays"] == 35
    assert abs(again["EarliestRestorableDateTime"] - shorter) < timedelta(minutes=1), "what was given up came back"


def test_what_is_switched_off_is_gone(dynamodb: Any, make_table: Make, platform: RunningPlatform) -> None:
    """Switched on again, recovery begins anew."""
    name = make_table("pk:S")
    first = switch(dynamodb, name)["EarliestRestorableDateTime"]
    put(dynamodb, name, a="1")
    assert switch(dynamodb, name, enabled=False) == {"PointInTimeRecoveryStatus": "DISABLED"}
    when = {"SourceTableName": name, "TargetTableName": f"{name}-1", "UseLatestRestorableTime": True}
    assert refused(dynamodb.restore_table_to_point_in_time, **when)[0] == "PointInTimeRecoveryUnavailableException"
    platform.advance(100)
    assert switch(dynamodb, name)["EarliestRestorableDateTime"] >= first + timedelta(seconds=100)
    platform.advance(10)
    put(dynamodb, name, a="2")
    began = described(dynamodb, name)["EarliestRestorableDateTime"]
    assert restored(dynamodb, name, f"{name}-2", RestoreDateTime=began) == {"a": "1"}


def test_a_deleted_table_leaves_a_system_backup(dynamodb: Any, make_table: Make, platform: RunningPlatform) -> None:
    """For 35 days, where point-in-time recovery was on."""
    name = make_table("pk:S")
    switch(dynamodb, name)
    put(dynamodb, name, a="1")
    dynamodb.delete_table(TableName=name)
    assert dynamodb.list_backups(TableName=name)["BackupSummaries"] == []
    (backup,) = dynamodb.list_backups(TableName=name, BackupType="SYSTEM")["BackupSummaries"]
    assert (backup["BackupName"], backup["BackupType"]) == (f"{name}$DeletedTableBackup", "SYSTEM")
    assert backup["BackupExpiryDateTime"] - backup["BackupCreationDateTime"] == timedelta(days=35)
    dynamodb.restore_table_from_backup(TargetTableName=name, BackupArn=backup["BackupArn"])
    assert dynamodb.get_item(TableName=name, Key={"pk": {"S": "a"}})["Item"]["v"] == {"S": "1"}


def test_what_cannot_be_asked(dynamodb: Any, make_table: Make) -> None:
    """AWS's errors."""
    name = make_table("pk:S")
    restore = dynamodb.restore_table_to_point_in_time
    moment = {"UseLatestRestorableTime": True}
    target = {"TargetTableName": f"{name}-1"}
    assert refused(dynamodb.describe_continuous_backups, TableName="nowhere")[0] == "TableNotFoundException"
    assert refused(restore, SourceTableName="nowhere", **target, **moment)[0] == "TableNotFoundException"
    assert "SourceTableName" in message(restore, **target, **moment)
    assert "RestoreDateTime" in message(restore, SourceTableName=name, **target)
    both = {"RestoreDateTime": datetime.now(UTC), **moment}
    assert "RestoreDateTime" in message(restore, SourceTableName=name, **target, **both)
    wanted = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 36}
    text = message(dynamodb.update_continuous_backups, TableName=name, PointInTimeRecoverySpecification=wanted)
    assert "less than or equal to 35" in text
    switch(dynamodb, name)
    assert refused(restore, SourceTableName=name, TargetTableName=name, **moment)[0] == "TableAlreadyExistsException"
