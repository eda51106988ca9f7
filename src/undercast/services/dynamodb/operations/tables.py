"""CreateTable, DescribeTable, UpdateTable, DeleteTable, ListTables.

A table is ACTIVE as soon as it is there: CREATING, UPDATING and DELETING are what the changing call itself answers.
AWS: DynamoDB API Reference, the operations of these names.
"""

import json
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services import table_streams
from undercast.services.dynamodb import backup_rows, encryption, index_rows, tables
from undercast.services.dynamodb.definitions import checked_definition, checked_stream, updated_definition
from undercast.services.dynamodb.describe import described
from undercast.services.dynamodb.errors import in_use, invalid, invalid_value
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import Table, TableName, named
from undercast.services.dynamodb.operations.policies import checked_policy, new_policy
from undercast.services.dynamodb.operations.tagging import tags_of
from undercast.store.database import Tx

MAX_TABLES = 2500
_MAX_LISTED = 100


@operation("CreateTable")
async def create_table(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new, empty table."""
    of = named(ctx.scope, params["TableName"])
    definition = checked_definition(params)
    tags = json.dumps(tags_of(params.get("Tags") or ()))
    now = dynamo.clock.now()
    if "ResourcePolicy" in params:
        checked_policy(params["ResourcePolicy"])
    await encryption.check_use(ctx, of, definition)

    def write(tx: Tx) -> Table:
        if tables.find(tx, of) is not None:
            raise in_use(f"Table already exists: {of.name}")
        if sum(1 for _ in tables.each_name(tx, of.scope, "")) >= MAX_TABLES:
            raise ServiceError(
                "LimitExceededException",
                f"Subscriber limit exceeded: There is a limit of {MAX_TABLES} tables per subscriber",
            )
        if definition["StreamSpecification"]:
            _open_stream(tx, of, definition, now)
        if "ResourcePolicy" in params:
            definition["ResourcePolicy"] = new_policy(params["ResourcePolicy"], "", now)
        dynamo.tables.changed(tx, of)
        return tables.add(tx, of, ctx.ids.uuid(), definition, (tags, now))

    return {"TableDescription": _changing(await dynamo.database.write(write), (0, 0), "CREATING")}


def _changing(table: Table, counts: tuple[int, int], status: str) -> dict[str, Any]:
    found = described(table, counts, status)
    if status == "CREATING":
        for index in found.get("GlobalSecondaryIndexes", ()):
            index["IndexStatus"] = status
    return found


def _open_stream(tx: Tx, of: TableName, definition: dict[str, Any], now: float) -> None:
    view = definition["StreamSpecification"]["StreamViewType"]
    stream = table_streams.open_stream(tx, of.scope, of.name, (view, definition["KeySchema"]), now)
    definition.update(StreamId=stream["id"], LatestStreamArn=stream["arn"], LatestStreamLabel=stream["label"])


@operation("DescribeTable")
async def describe_table(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A table, its indexes, its stream."""
    of = named(ctx.scope, params["TableName"])

    def read(tx: Tx) -> tuple[Table, dict[str, Any]]:
        table = tables.existing(tx, of)
        return table, described(table, tables.counts(tx, table))

    found = await dynamo.database.read(read, long=True)  # it counts the items
    return {"Table": await encryption.told(ctx, *found)}


@operation("ListTables")
async def list_tables(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The names of the account's tables in this region, in order."""
    limit = params.get("Limit", _MAX_LISTED)

    def read(tx: Tx) -> list[str]:
        found = []
        for name in tables.each_name(tx, ctx.scope, params.get("ExclusiveStartTableName", "")):
            found.append(name)
            if len(found) > limit:
                break
        return found

    names = await dynamo.database.read(read)
    more = {"LastEvaluatedTableName": names[limit - 1]} if len(names) > limit else {}
    return {"TableNames": names[:limit], **more}


@operation("DeleteTable")
async def delete_table(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The table with all its items. Its stream can be read for 24 hours; one that had point-in-time recovery leaves a
    system backup for 35 days."""
    of, now = named(ctx.scope, params["TableName"]), dynamo.clock.now()

    def write(tx: Tx) -> dict[str, Any]:
        table = tables.ready(tx, of)
        if table.definition.get("DeletionProtectionEnabled"):
            raise invalid(
                f"Resource cannot be deleted as it is currently protected against deletion. "
                f"Disable deletion protection first. Table: {table.arn}"
            )
        counts = tables.counts(tx, table)
        if table.stream:
            table_streams.close_stream(tx, table.definition["StreamId"], now)
            arn = table.definition["LatestStreamArn"]
            tx.after_commit(lambda: dynamo.arrivals.ring(arn))
        if table.recovery_days:
            backup_rows.keep_deleted(tx, table, (backup_rows.new_arn(of, ctx, now), now))
        tables.delete(tx, table)
        dynamo.tables.changed(tx, of)
        return described(table, counts, "DELETING")

    # Not on the event loop: it counts the items.
    return {"TableDescription": await dynamo.database.write(write, long=True)}


@operation("UpdateTable")
async def update_table(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Another billing mode, throughput, stream, or global secondary indexes; a new index is filled at once."""
    of = named(ctx.scope, params["TableName"])
    if {name for name, value in params.items() if value != []} <= {"TableName", "AttributeDefinitions"}:
        raise invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
            "SSESpecification or ReplicaUpdates is required"
        )
    await encryption.check_use(ctx, of, params)

    def write(tx: Tx) -> dict[str, Any]:
        table = tables.ready(tx, of)
        definition = updated_definition(table.definition, params)
        if table.is_on_demand is False and definition["BillingMode"] == "PAY_PER_REQUEST":
            definition["OnDemandSince"] = dynamo.clock.now()
        if "StreamSpecification" in params:
            _update_stream(dynamo, tx, (table, definition), params)
        updated = tables.set_definition(tx, table, definition)
        known = {index.name for index in table.indexes}
        for index in updated.indexes:
            if index.name not in known:
                index_rows.fill(tx, updated, index)
        dynamo.tables.changed(tx, of)
        return described(updated, tables.counts(tx, updated), "UPDATING")

    return {"TableDescription": await dynamo.database.write(write, long="GlobalSecondaryIndexUpdates" in params)}


def _update_stream(dynamo: Dynamo, tx: Tx, change: tuple[Table, dict[str, Any]], params: Params) -> None:
    table, definition = change
    wanted = checked_stream(params["StreamSpecification"])
    now = dynamo.clock.now()
    if wanted and table.stream:
        raise invalid_value("Table already has an enabled stream: TableName: " + table.of.name)
    if not wanted and not table.stream:
        raise invalid_value(f"Table is already disabled: TableName: {table.of.name}")
    definition["StreamSpecification"] = wanted
    if wanted:
        _open_stream(tx, table.of, definition, now)
        return
    table_streams.close_stream(tx, table.definition["StreamId"], now)
    arn = table.definition["LatestStreamArn"]
    tx.after_commit(lambda: dynamo.arrivals.ring(arn))


@operation("DescribeLimits")
async def describe_limits(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """AWS's default quotas; nothing here is limited by them."""
    return {
        "AccountMaxReadCapacityUnits": 80000,
        "AccountMaxWriteCapacityUnits": 80000,
        "TableMaxReadCapacityUnits": 40000,
        "TableMaxWriteCapacityUnits": 40000,
    }


@operation("DescribeEndpoints")
async def describe_endpoints(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """For SDKs with endpoint discovery: the host that was asked."""
    return {"Endpoints": [{"Address": ctx.endpoint.partition("://")[2], "CachePeriodInMinutes": 1440}]}
