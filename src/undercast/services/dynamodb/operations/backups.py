"""CreateBackup, DescribeBackup, ListBackups, DeleteBackup, RestoreTableFromBackup.

A backup is a copy of the items and of the table's definition, made and restored in one transaction of the store thread.
AWS: DynamoDB Developer Guide, "Backup and restore for DynamoDB"; API Reference, the operations of these names.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from undercast.core.arn import Arn
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.dynamodb import tables
from undercast.services.dynamodb.definitions import check_together
from undercast.services.dynamodb.describe import described
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import Table, named
from undercast.services.dynamodb.operations.tables import fill
from undercast.store.database import Row, Tx

_MAX_LISTED = 100
_OF_STREAM = ("StreamId", "LatestStreamArn", "LatestStreamLabel")
_OVERRIDES = {"BillingModeOverride": "BillingMode", "ProvisionedThroughputOverride": "ProvisionedThroughput",
              "GlobalSecondaryIndexOverride": "GlobalSecondaryIndexes",
              "LocalSecondaryIndexOverride": "LocalSecondaryIndexes", "SSESpecificationOverride": "SSESpecification",
              "OnDemandThroughputOverride": "OnDemandThroughput"}  # fmt: skip


@operation("CreateBackup")
async def create_backup(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A copy of the table as it is."""
    of, now = named(ctx.scope, params["TableName"]), dynamo.clock.now()
    arn = f"{of.arn}/backup/{int(now * 1000):014d}-{ctx.ids.hex(8)}"

    def write(tx: Tx) -> Row:
        table = tables.find(tx, of)
        if table is None:
            raise ServiceError("TableNotFoundException", f"Table not found: {of.name}")
        items, size = tables.counts(tx, table)
        tx.execute(
            "INSERT INTO dynamodb_backup (account_id, region, arn, name, table_name, table_id, table_created_at,"
            " created_at, items, bytes, definition) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*of.scope, arn, params["BackupName"], of.name, table.table_id, table.created_at, now, items, size,
             json.dumps(table.definition)),
        )  # fmt: skip
        backup = _existing(tx, arn)
        tx.execute(
            "INSERT INTO dynamodb_backup_item (backup_id, hash, range, size, item)"
            " SELECT ?, hash, range, size, item FROM dynamodb_item WHERE table_id = ?",
            (backup["id"], table.id),
        )
        return backup

    return {"BackupDetails": {**_details(await dynamo.database.write(write, long=True)), "BackupStatus": "CREATING"}}


def _existing(tx: Tx, arn: str) -> Row:
    row = tx.one("SELECT * FROM dynamodb_backup WHERE arn = ?", (arn,))
    if row is None:
        raise ServiceError("BackupNotFoundException", f"Backup not found: {arn}")
    return row


def _details(backup: Row) -> dict[str, Any]:
    return {
        "BackupArn": backup["arn"],
        "BackupName": backup["name"],
        "BackupSizeBytes": backup["bytes"],
        "BackupStatus": "AVAILABLE",
        "BackupType": "USER",
        "BackupCreationDateTime": backup["created_at"],
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
    backup = await dynamo.database.read(lambda tx: _existing(tx, params["BackupArn"]))
    return {"BackupDescription": _described(backup)}


@operation("ListBackups")
async def list_backups(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The oldest first; those of one table, or of a time."""
    limit = min(params.get("Limit", _MAX_LISTED), _MAX_LISTED)
    low, high = _moment(params, "TimeRangeLowerBound", 0.0), _moment(params, "TimeRangeUpperBound", 1e12)
    table = named(ctx.scope, params["TableName"]).name if "TableName" in params else ""

    def read(tx: Tx) -> list[Row]:
        start = params.get("ExclusiveStartBackupArn")
        return tx.all(
            "SELECT * FROM dynamodb_backup WHERE account_id = ? AND region = ? AND id > ? AND created_at >= ?"
            " AND created_at < ? AND (? = '' OR table_name = ?) ORDER BY id LIMIT ?",
            (*ctx.scope, _existing(tx, start)["id"] if start else 0, low, high, table, table, limit + 1),
        )

    rows = await dynamo.database.read(read) if params.get("BackupType", "USER") in ("USER", "ALL") else []
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
        backup = _existing(tx, params["BackupArn"])
        tx.execute("DELETE FROM dynamodb_backup WHERE id = ?", (backup["id"],))
        return backup

    found = _described(await dynamo.database.write(write, long=True))
    found["BackupDetails"]["BackupStatus"] = "DELETED"
    return {"BackupDescription": found}


@operation("RestoreTableFromBackup")
async def restore_table_from_backup(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new table with the backup's items. Streams, tags and time to live are not restored, as on AWS."""
    of, now = named(ctx.scope, params["TargetTableName"]), dynamo.clock.now()

    def write(tx: Tx) -> Table:
        backup = _existing(tx, params["BackupArn"])
        if tables.find(tx, of) is not None:
            raise ServiceError("TableAlreadyExistsException", f"Table already exists: {of.name}")
        table = tables.add(tx, of, ctx.ids.uuid(), _definition(backup, params), ("{}", now))
        tx.execute(
            "INSERT INTO dynamodb_item (table_id, hash, range, size, item)"
            " SELECT ?, hash, range, size, item FROM dynamodb_backup_item WHERE backup_id = ?",
            (table.id, backup["id"]),
        )
        for index in table.indexes:
            fill(tx, table, index)
        dynamo.tables.changed(tx, of)
        return table

    table = await dynamo.database.write(write, long=True)
    return {"TableDescription": described(table, (0, 0), "CREATING")}


def _definition(backup: Row, params: Mapping[str, Any]) -> dict[str, Any]:
    """The table's, with what the request says otherwise. Raises ValidationException."""
    definition = {name: value for name, value in json.loads(backup["definition"]).items() if name not in _OF_STREAM}
    definition.update({member: params[given] for given, member in _OVERRIDES.items() if given in params})
    if definition["BillingMode"] == "PAY_PER_REQUEST":
        definition.pop("ProvisionedThroughput", None)
    elif "ProvisionedThroughput" not in definition:
        raise ServiceError("ValidationException", "ProvisionedThroughputOverride is needed for BillingMode PROVISIONED")
    definition.update(StreamSpecification={}, DeletionProtectionEnabled=False)
    names = {one["AttributeName"] for one in definition["KeySchema"]}
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        for index in definition.get(member) or ():
            names.update(one["AttributeName"] for one in index["KeySchema"])
            if definition["BillingMode"] == "PAY_PER_REQUEST":
                index.pop("ProvisionedThroughput", None)
            elif member.startswith("Global"):
                index.setdefault("ProvisionedThroughput", definition["ProvisionedThroughput"])
    definition["AttributeDefinitions"] = [
        one for one in definition["AttributeDefinitions"] if one["AttributeName"] in names
    ]
    check_together(definition)
    return definition
