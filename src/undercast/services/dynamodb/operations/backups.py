"""CreateBackup, DescribeBackup, ListBackups, DeleteBackup.

A backup is a copy of the items and of the table's definition, made in one transaction of the store thread.
AWS: DynamoDB Developer Guide, "Backup and restore for DynamoDB"; API Reference, the operations of these names.
"""

import json
from datetime import datetime
from typing import Any

from undercast.core.arn import Arn
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.dynamodb import backup_rows, tables
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import named
from undercast.store.database import Row, Tx

_MAX_LISTED = 100


@operation("CreateBackup")
async def create_backup(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A copy of the table as it is."""
    of, now = named(ctx.scope, params["TableName"]), dynamo.clock.now()

    def write(tx: Tx) -> Row:
        table = tables.find(tx, of)
        if table is None:
            raise ServiceError("TableNotFoundException", f"Table not found: {of.name}")
        return backup_rows.add(tx, table, params["BackupName"], (backup_rows.new_arn(of, ctx, now), now))

    return {"BackupDetails": {**_details(await dynamo.database.write(write, long=True)), "BackupStatus": "CREATING"}}


def _details(backup: Row) -> dict[str, Any]:
    ends = {} if backup["expires_at"] is None else {"BackupExpiryDateTime": backup["expires_at"]}
    return {
        "BackupArn": backup["arn"],
        "BackupName": backup["name"],
        "BackupSizeBytes": backup["bytes"],
        "BackupStatus": "AVAILABLE",
        "BackupType": backup["type"],
        "BackupCreationDateTime": backup["created_at"],
        **ends,
    }


def _described(backup: Row) -> dict[str, Any]:
    definition = json.loads(backup["definition"])
    arn = Arn.parse(backup["arn"])
    features = {
        member: definition[member]
        for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
        if member in definition
    }
    if definition.get("StreamSpecification"):
        features["StreamDescription"] = definition["StreamSpecification"]
    return {
        "BackupDetails": _details(backup),
        "SourceTableDetails": {
            "TableName": backup["table_name"],
            "TableId": backup["table_id"],
            "TableArn": str(arn).partition("/backup/")[0],
            "TableSizeBytes": backup["bytes"],
            "KeySchema": definition["KeySchema"],
            "TableCreationDateTime": backup["table_created_at"],
            "ProvisionedThroughput": definition.get("ProvisionedThroughput")
            or {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
            "ItemCount": backup["items"],
            "BillingMode": definition["BillingMode"],
        },
        "SourceTableFeatureDetails": features,
    }


@operation("DescribeBackup")
async def describe_backup(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The backup, and its table as it was."""
    backup = await dynamo.database.read(lambda tx: backup_rows.existing(tx, params["BackupArn"]))
    return {"BackupDescription": _described(backup)}


@operation("ListBackups")
async def list_backups(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The oldest first; those of one table, or of a time."""
    limit = min(params.get("Limit", _MAX_LISTED), _MAX_LISTED)
    low, high = _moment(params, "TimeRangeLowerBound", 0.0), _moment(params, "TimeRangeUpperBound", 1e12)
    table = named(ctx.scope, params["TableName"]).name if "TableName" in params else ""
    kind = params.get("BackupType", "USER")

    def read(tx: Tx) -> list[Row]:
        start = params.get("ExclusiveStartBackupArn")
        return tx.all(
            "SELECT * FROM dynamodb_backup WHERE account_id = ? AND region = ? AND id > ? AND created_at >= ?"
            " AND created_at < ? AND (? = '' OR table_name = ?) AND (? = 'ALL' OR type = ?) ORDER BY id LIMIT ?",
            (*ctx.scope, backup_rows.existing(tx, start)["id"] if start else 0, low, high, table, table, kind, kind,
             limit + 1),
        )  # fmt: skip

    rows = await dynamo.database.read(read)
    more = {"LastEvaluatedBackupArn": rows[limit - 1]["arn"]} if len(rows) > limit else {}
    return {"BackupSummaries": [_summary(row) for row in rows[:limit]], **more}


def _moment(params: Params, member: str, default: float) -> float:
    found: datetime | None = params.get(member)
    return default if found is None else found.timestamp()


def _summary(backup: Row) -> dict[str, Any]:
    table = {
        "TableName": backup["table_name"],
        "TableId": backup["table_id"],
        "TableArn": backup["arn"].partition("/backup/")[0],
    }
    return {**table, **_details(backup)}


@operation("DeleteBackup")
async def delete_backup(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """With all its items."""

    def write(tx: Tx) -> Row:
        backup = backup_rows.existing(tx, params["BackupArn"])
        tx.execute("DELETE FROM dynamodb_backup WHERE id = ?", (backup["id"],))
        return backup

    found = _described(await dynamo.database.write(write, long=True))
    found["BackupDetails"]["BackupStatus"] = "DELETED"
    return {"BackupDescription": found}
