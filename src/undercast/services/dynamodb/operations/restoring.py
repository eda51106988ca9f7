"""UpdateContinuousBackups, DescribeContinuousBackups, RestoreTableToPointInTime, RestoreTableFromBackup.

A table is restored in one transaction of the store thread, and there when the call answers.
AWS: DynamoDB Developer Guide, "Point-in-time backups for DynamoDB", "Backup and restore for DynamoDB"; API Reference,
the operations of these names.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.dynamodb import backup_rows, index_rows, recovery, tables
from undercast.services.dynamodb.definitions import check_together
from undercast.services.dynamodb.describe import described
from undercast.services.dynamodb.errors import invalid, invalid_value
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import Table, TableName, named, named_by_arn
from undercast.store.database import Tx

_NOT_RESTORED = ("StreamId", "LatestStreamArn", "LatestStreamLabel", "KinesisDestinations", "RestoreSummary",
                 "ResourcePolicy")  # fmt: skip
_OVERRIDES = {"BillingModeOverride": "BillingMode", "ProvisionedThroughputOverride": "ProvisionedThroughput",
              "GlobalSecondaryIndexOverride": "GlobalSecondaryIndexes",
              "LocalSecondaryIndexOverride": "LocalSecondaryIndexes", "SSESpecificationOverride": "SSESpecification",
              "OnDemandThroughputOverride": "OnDemandThroughput"}  # fmt: skip


@operation("UpdateContinuousBackups")
async def update_continuous_backups(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Point-in-time recovery on, with its days, or off: what was kept is gone then."""
    of, now = named(ctx.scope, params["TableName"]), dynamo.clock.now()
    wanted = params["PointInTimeRecoverySpecification"]
    days = wanted.get("RecoveryPeriodInDays", recovery.DEFAULT_DAYS)
    if not wanted["PointInTimeRecoveryEnabled"]:
        if "RecoveryPeriodInDays" in wanted:
            raise invalid_value("RecoveryPeriodInDays can only be specified when PointInTimeRecoveryEnabled is true")
        days = 0

    def write(tx: Tx) -> Table:
        recovery.set_days(tx, _of_backups(tx, of), days, now)
        dynamo.tables.changed(tx, of)
        return tables.existing(tx, of)

    return {"ContinuousBackupsDescription": recovery.described(await dynamo.database.write(write), now)}


def _of_backups(tx: Tx, of: TableName) -> Table:
    table = tables.find(tx, of)
    if table is None:
        raise ServiceError("TableNotFoundException", f"Table not found: {of.name}")
    return table


@operation("DescribeContinuousBackups")
async def describe_continuous_backups(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Whether point-in-time recovery is on, and to which moments the table can be restored."""
    of = named(ctx.scope, params["TableName"])
    table = await dynamo.database.read(lambda tx: _of_backups(tx, of))
    return {"ContinuousBackupsDescription": recovery.described(table, dynamo.clock.now())}


@operation("RestoreTableToPointInTime")
async def restore_table_to_point_in_time(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new table with the items of that moment, and with the settings that the source has now."""
    now = dynamo.clock.now()
    source_of, moment = source(ctx, params), _moment(params)

    def make(tx: Tx) -> tuple[Table, Callable[[Table], None]]:
        origin = _of_backups(tx, source_of)
        at = recovery.checked(origin, moment, now)
        summary = {"SourceTableArn": origin.arn, "RestoreDateTime": at}
        table = _new_table(dynamo, ctx, tx, (origin.definition, params, summary))
        return table, lambda table: recovery.copy_to(tx, origin, at, table)

    return await _restored(dynamo, make)


def source(ctx: RequestContext, params: Mapping[str, Any]) -> TableName:
    """The table to restore. Raises ValidationException unless exactly one way names it."""
    if ("SourceTableName" in params) == ("SourceTableArn" in params):
        raise invalid_value("One of SourceTableName and SourceTableArn must be specified, and only one")
    if "SourceTableArn" in params:
        return named_by_arn(params["SourceTableArn"])
    return named(ctx.scope, params["SourceTableName"])


def _moment(params: Mapping[str, Any]) -> float | None:
    """None for the latest."""
    if params.get("UseLatestRestorableTime") == ("RestoreDateTime" in params):
        raise invalid_value("One of UseLatestRestorableTime and RestoreDateTime must be specified, and only one")
    if "RestoreDateTime" not in params:
        if not params.get("UseLatestRestorableTime"):
            raise invalid_value("One of UseLatestRestorableTime and RestoreDateTime must be specified, and only one")
        return None
    return float(params["RestoreDateTime"].timestamp())


@operation("RestoreTableFromBackup")
async def restore_table_from_backup(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new table with the backup's items. Streams, tags and time to live are not restored, as on AWS."""

    def make(tx: Tx) -> tuple[Table, Callable[[Table], None]]:
        backup = backup_rows.existing(tx, params["BackupArn"])
        summary = {
            "SourceBackupArn": backup["arn"],
            "SourceTableArn": backup["arn"].partition("/backup/")[0],
            "RestoreDateTime": backup["created_at"],
        }
        table = _new_table(dynamo, ctx, tx, (json.loads(backup["definition"]), params, summary))

        def copy(table: Table) -> None:
            tx.execute(
                "INSERT INTO dynamodb_item (table_id, hash, range, size, item)"
                " SELECT ?, hash, range, size, item FROM dynamodb_backup_item WHERE backup_id = ?",
                (table.id, backup["id"]),
            )

        return table, copy

    return await _restored(dynamo, make)


async def _restored(dynamo: Dynamo, make: Callable[[Tx], tuple[Table, Callable[[Table], None]]]) -> dict[str, Any]:
    def write(tx: Tx) -> Table:
        table, copy = make(tx)
        copy(table)
        for index in table.indexes:
            index_rows.fill(tx, table, index)
        dynamo.tables.changed(tx, table.of)
        return table

    table = await dynamo.database.write(write, long=True)
    found = described(table, (0, 0), "CREATING")
    found["RestoreSummary"]["RestoreInProgress"] = True
    return {"TableDescription": found}


def _new_table(
    dynamo: Dynamo, ctx: RequestContext, tx: Tx, of_what: tuple[Mapping[str, Any], Params, Mapping[str, Any]]
) -> Table:
    """Empty; `of_what` are the definition to follow, the request, and what it is restored from."""
    definition, params, summary = of_what
    of = named(ctx.scope, params["TargetTableName"])
    if tables.find(tx, of) is not None:
        raise ServiceError("TableAlreadyExistsException", f"Table already exists: {of.name}")
    wanted = _definition(definition, params)
    wanted["RestoreSummary"] = {**summary, "RestoreInProgress": False}
    return tables.add(tx, of, ctx.ids.uuid(), wanted, ("{}", dynamo.clock.now()))


def _definition(source: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The source's, with what the request says otherwise. Raises ValidationException."""
    kept = {name: value for name, value in source.items() if name not in _NOT_RESTORED}
    definition: dict[str, Any] = json.loads(json.dumps(kept))  # its own, to be changed
    definition.update({member: params[given] for given, member in _OVERRIDES.items() if given in params})
    if definition["BillingMode"] == "PAY_PER_REQUEST":
        definition.pop("ProvisionedThroughput", None)
    elif "ProvisionedThroughput" not in definition:
        raise invalid("ProvisionedThroughputOverride is needed for BillingMode PROVISIONED")
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
