"""What each DynamoDB request needs: its action on each table or index that it names, with its partition keys.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB"; Developer Guide,
"Using IAM policy conditions for fine-grained access control" (dynamodb:LeadingKeys).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from undercast.core.arn import AccountId, Arn
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Access, Params
from undercast.services import table_streams
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions.binding import compiled
from undercast.services.dynamodb.expressions.syntax import Compare, Literal, Logic, Node, Path
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import Table, TableName, named, named_by_arn
from undercast.services.dynamodb.operations.restoring import source
from undercast.services.dynamodb.partiql.parser import Statement, attempted, parsed
from undercast.services.item_text import Value

_BATCHES = ("BatchGetItem", "BatchWriteItem")
_TRANSACTIONS = ("TransactGetItems", "TransactWriteItems")
_STATEMENTS = ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction")
_ALIKE = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem",
          "Get": "GetItem"}  # fmt: skip
_KEYS = {"Select": "dynamodb:Select", "ReturnValues": "dynamodb:ReturnValues",
         "ReturnConsumedCapacity": "dynamodb:ReturnConsumedCapacity"}  # fmt: skip


async def access(dynamo: Dynamo, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    action = f"dynamodb:{operation}"
    if operation in _BATCHES:
        return tuple(
            _access(dynamo, action, named(ctx.scope, name), {"Items": one})
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
    """PartiQLSelect, PartiQLInsert, PartiQLUpdate or PartiQLDelete, with the partition key of a whole key."""
    statement = parsed(params["Statement"])
    of = named(ctx.scope, statement.table)
    kind = "Select" if statement.kind == "EXISTS" else statement.kind.capitalize()
    given: dict[str, Any] = {"IndexName": statement.index} if statement.index else {}
    parameters = params.get("Parameters") or ()
    if len(parameters) == statement.parameters and (table := dynamo.tables.find(of)) is not None:
        with suppress(
            ServiceError
        ):  # of values that cannot be: the operation tells it, a batch in the statement's place
            given |= _item_or_key(table, statement, parameters)
    return _access(dynamo, f"dynamodb:PartiQL{kind}", of, given)


def _item_or_key(table: Table, statement: Statement, parameters: Sequence[Value]) -> dict[str, Any]:
    if statement.item is not None:
        return {"Item": statement.item(parameters).get("M", {})}
    values = {name: make(parameters) for name, make in statement.values.items()}
    found = ((name, literal) for name in table.key.names for literal in _compared(name, statement.where))
    return {"Key": {name: values[literal] for name, literal in found}}


def _access(dynamo: Dynamo, action: str, of: TableName, params: Mapping[str, Any]) -> Access:
    conditions: dict[str, str | tuple[str, ...]] = {
        key: params[member] for member, key in _KEYS.items() if member in params
    }
    table = dynamo.tables.find(of)
    if table is not None and (keys := tuple(dict.fromkeys(_leading_keys(table, params)))):
        conditions["dynamodb:LeadingKeys"] = keys
    resource = f"{of.arn}/index/{params['IndexName']}" if "IndexName" in params else of.arn
    return Access(
        action=action,
        resource=resource,
        conditions=conditions,
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


def _leading_keys(table: Table, params: Mapping[str, Any]) -> Iterator[str]:
    """The values of the partition key, as far as the request says them."""
    name = table.key.hash
    if "IndexName" in params:
        for index in table.indexes:
            if index.name == params["IndexName"]:
                name = index.key.hash
    if "Items" in params:
        given = params["Items"]
        items = given["Keys"] if isinstance(given, Mapping) else [_written(one) for one in given]
    else:
        items = [params[member] for member in ("Key", "Item") if member in params]
    for item in items:
        if name in item:
            yield from map(str, item[name].values())
    yield from _queried(name, params)


def _written(request: Mapping[str, Any]) -> Mapping[str, Any]:
    put, delete = request.get("PutRequest"), request.get("DeleteRequest")
    found: Mapping[str, Any] = put["Item"] if put else delete["Key"] if delete else {}
    return found


def _queried(name: str, params: Mapping[str, Any]) -> Iterator[str]:
    if "KeyConditionExpression" in params:
        names = tuple((params.get("ExpressionAttributeNames") or {}).items())
        try:
            node = compiled("KeyConditionExpression", params["KeyConditionExpression"], names).node
        except ServiceError:
            return  # the operation says what is wrong
        for literal in _compared(name, node):
            value = (params.get("ExpressionAttributeValues") or {}).get(literal)
            if value:
                yield from map(str, value.values())
    elif name in (params.get("KeyConditions") or {}):
        for value in params["KeyConditions"][name].get("AttributeValueList") or ():
            yield from map(str, value.values())


def _compared(name: str, node: Node | None) -> Iterator[str]:
    if isinstance(node, Logic):
        for part in node.parts:
            yield from _compared(name, part)
    elif isinstance(node, Compare):
        sides = (node.left, node.right)
        if Path((name,)) in sides:
            yield from (side.name for side in sides if isinstance(side, Literal))
