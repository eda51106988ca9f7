"""What each DynamoDB request needs: its action on each table or index that it names, with its condition keys.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.arn import AccountId, Arn
from undercast.core.context import RequestContext
from undercast.core.late_keys import Later
from undercast.core.service import Access, Params
from undercast.services import table_streams
from undercast.services.dynamodb import condition_keys
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import Table, TableName, named, named_by_arn
from undercast.services.dynamodb.operations.restoring import source
from undercast.services.dynamodb.partiql.parser import Statement, attempted, parsed

_BATCHES = ("BatchGetItem", "BatchWriteItem")
_TRANSACTIONS = ("TransactGetItems", "TransactWriteItems")
_STATEMENTS = ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction")
_ALIKE = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem",
          "Get": "GetItem"}  # fmt: skip
_CAPACITY = "dynamodb:ReturnConsumedCapacity"


async def access(dynamo: Dynamo, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    needed = await _needed(dynamo, ctx, operation, params)
    of_all: dict[str, str] = {}
    if "ReturnConsumedCapacity" in params:
        of_all[_CAPACITY] = params["ReturnConsumedCapacity"]
    if operation in (*_TRANSACTIONS, "ExecuteTransaction"):
        of_all["dynamodb:EnclosingOperation"] = operation
    return tuple(_with(one, of_all) for one in needed) if of_all else needed


def _with(one: Access, of_all: Mapping[str, str]) -> Access:
    return replace(one, conditions=Later(lambda: {**one.conditions, **of_all}))


async def _needed(dynamo: Dynamo, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    action = f"dynamodb:{operation}"
    if operation in _BATCHES:
        return tuple(
            _access(dynamo, action, named(ctx.scope, name), one if operation == "BatchGetItem" else {"Requests": one})
            for name, one in params["RequestItems"].items()
        )
    if operation in _TRANSACTIONS:
        return tuple(
            _access(dynamo, f"dynamodb:{_ALIKE[kind]}", named(ctx.scope, one["TableName"]), one)
            for item in params["TransactItems"]
            for kind, one in item.items()
        )
    if operation in _STATEMENTS:
        given = params.get("Statements") or params.get("TransactStatements") or [params]
        if operation == "BatchExecuteStatement":  # one that is malformed asks for nothing, and fails alone
            given = [one for one in given if isinstance(attempted(one["Statement"]), Statement)]
        return tuple(_of_statement(dynamo, ctx, one) for one in given)
    if operation == "EnableKinesisStreamingDestination":
        return (
            _access(dynamo, action, named(ctx.scope, params["TableName"]), {}),
            *_of_stream(params["StreamArn"]),
        )
    if operation == "CreateTable" and "ResourcePolicy" in params:
        of = named(ctx.scope, params["TableName"])
        return tuple(_access(dynamo, one, of, {}) for one in (action, "dynamodb:PutResourcePolicy"))
    if "TableName" in params:
        return (_access(dynamo, action, named(ctx.scope, params["TableName"]), params),)
    if operation == "RestoreTableToPointInTime":
        return tuple(_access(dynamo, action, of, {}) for of in (source(ctx, params), _target(ctx, params)))
    if "BackupArn" in params:
        return _of_backup(ctx, action, params)
    for member in ("ExportArn", "ImportArn"):
        if member in params:
            owner = named_by_arn(params[member]).scope.account_id
            return (Access(action=action, resource=params[member], resource_account_id=owner),)
    if operation == "ImportTable":
        of = named(ctx.scope, params["TableCreationParameters"]["TableName"])
        return (Access(action=action, resource=f"{of.arn}/import/*"),)
    if operation == "ExportTableToPointInTime":
        return (_access(dynamo, action, named_by_arn(params["TableArn"]), {}),)
    if operation in ("ListExports", "ListImports"):
        return (Access(action=action, resource="*"),)
    if "ResourceArn" in params:
        return (_of_resource(dynamo, ctx, operation, params["ResourceArn"]),)
    return (Access(action=action, resource=str(Arn.of(ctx.scope, "dynamodb", "table/*")) if params else "*"),)


def _of_stream(arn: str) -> tuple[Access, ...]:
    """AWS: who enables a destination needs these on the stream. Raises ValidationException for what is none."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "kinesis" or not parts[5].startswith("stream/"):
        raise invalid(f"Invalid StreamArn: {arn}")
    actions = ("kinesis:DescribeStream", "kinesis:PutRecord", "kinesis:PutRecords")
    return tuple(Access(action=one, resource=arn, resource_account_id=AccountId(parts[4])) for one in actions)


def _of_backup(ctx: RequestContext, action: str, params: Params) -> tuple[Access, ...]:
    """The action on the backup, and on the table that is made from it."""
    owner = named_by_arn(params["BackupArn"]).scope.account_id
    backup = Access(action=action, resource=params["BackupArn"], resource_account_id=owner)
    if "TargetTableName" not in params:
        return (backup,)
    return (backup, Access(action=action, resource=_target(ctx, params).arn))


def _target(ctx: RequestContext, params: Params) -> TableName:
    return named(ctx.scope, params["TargetTableName"])


def _of_statement(dynamo: Dynamo, ctx: RequestContext, params: Mapping[str, Any]) -> Access:
    """PartiQLSelect, PartiQLInsert, PartiQLUpdate or PartiQLDelete."""
    statement = parsed(params["Statement"])
    of = named(ctx.scope, statement.table)
    kind = "Select" if statement.kind == "EXISTS" else statement.kind.capitalize()
    table = dynamo.tables.find(of)
    keys = Later(lambda: condition_keys.of_statement(table, statement, params.get("Parameters") or ()))
    resource = f"{of.arn}/index/{statement.index}" if statement.index else of.arn
    return _on(table, f"dynamodb:PartiQL{kind}", of, resource, keys)


def _access(dynamo: Dynamo, action: str, of: TableName, params: Mapping[str, Any]) -> Access:
    table = dynamo.tables.find(of)
    keys = Later(lambda: condition_keys.of_request(table, action.partition(":")[2], params))
    resource = f"{of.arn}/index/{params['IndexName']}" if "IndexName" in params else of.arn
    return _on(table, action, of, resource, keys)


def _on(table: Table | None, action: str, of: TableName, resource: str, keys: Later) -> Access:
    return Access(
        action=action,
        resource=resource,
        conditions=keys,
        resource_account_id=of.scope.account_id,
        resource_policy=table.policy if table is not None else None,
    )


def _of_resource(dynamo: Dynamo, ctx: RequestContext, operation: str, arn: str) -> Access:
    """An action on a table or a stream by its ARN, with its policy."""
    of, action = named_by_arn(arn), f"dynamodb:{operation}"
    if "/stream/" in arn:
        policy = dynamo.database.read_row(lambda tx: table_streams.policy(tx, arn))
        found = Access(action=action, resource=arn, resource_account_id=of.scope.account_id, resource_policy=policy)
    else:
        found = _access(dynamo, action, of, {})
    is_owner = ctx.principal.kind == "root" and ctx.principal.account_id == of.scope.account_id
    # The owner's way back, whatever the policy says (API Reference, DeleteResourcePolicy).
    return replace(found, resource_policy=None) if operation == "DeleteResourcePolicy" and is_owner else found


async def policy_of(dynamo: Dynamo, arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    if "/stream/" in arn:
        return dynamo.database.read_row(lambda tx: table_streams.policy(tx, arn))
    table = dynamo.tables.find(named_by_arn(arn))
    return table.policy if table is not None else None


def tags_of(dynamo: Dynamo, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    table = dynamo.tables.find(named_by_arn(arn))
    return table.tags if table is not None else {}
