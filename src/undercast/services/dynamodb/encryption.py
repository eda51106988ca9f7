"""Tables under a customer managed key: every caller needs kms:Decrypt, and a table whose key is gone is inaccessible.

AWS: DynamoDB Developer Guide, "DynamoDB encryption at rest", "Managing encrypted tables in DynamoDB"; API Reference,
TableDescription (INACCESSIBLE_ENCRYPTION_CREDENTIALS), SSEDescription. The error is that of aws/aws-cdk issue 10010, a
PutItem; AWS does not say what a disabled key gives.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import platform_principal
from undercast.core.service import OperationFunction, Params
from undercast.services.customer_keys import CustomerKey
from undercast.services.dynamodb.errors import key_refused
from undercast.services.dynamodb.models import Table, TableName, named
from undercast.services.dynamodb.partiql.parser import Statement, attempted

_INACCESSIBLE = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"


def key_of(of: TableName, definition: Mapping[str, Any]) -> CustomerKey | None:
    """The key that a table's definition names; None for AWS's own and for the one that AWS manages."""
    specification = definition.get("SSESpecification")
    if not specification or not specification.get("Enabled") or "KMSMasterKeyId" not in specification:
        return None
    context = {"aws:dynamodb:tableName": of.name, "aws:dynamodb:subscriberId": of.scope.account_id}
    return CustomerKey(id=specification["KMSMasterKeyId"], scope=of.scope, context=context, codes={})


async def check_use(ctx: RequestContext, of: TableName, definition: Mapping[str, Any]) -> None:
    """Raises AccessDeniedException where the caller cannot use the key of a table, whatever the reason."""
    if (key := key_of(of, definition)) is None:
        return
    try:
        await key.check_read(ctx)
    except ServiceError as error:
        raise key_refused(error) from None


async def told(ctx: RequestContext, table: Table, description: dict[str, Any]) -> dict[str, Any]:
    """The description of a table, which says whether its key can be used at all."""
    if (key := key_of(table.of, table.definition)) is None:
        return description
    try:
        platform = platform_principal(table.of.scope.account_id)
        found = await ctx.call("kms", "DescribeKey", {"KeyId": key.id}, principal=platform, scope=key.scope)
        usable = found["KeyMetadata"]["KeyState"] == "Enabled"
    except ServiceError:
        usable = False
    if usable:
        return description
    since = {"InaccessibleEncryptionDateTime": moment(ctx.clock.now())}
    encryption = {**description["SSEDescription"], **since}
    return {**description, "TableStatus": _INACCESSIBLE, "SSEDescription": encryption}


def under_keys(operations: Mapping[str, OperationFunction], names: frozenset[str]) -> dict[str, OperationFunction]:
    """The operations; those of these names ask KMS about the tables that they are of."""
    return {name: _guarded(one) if name in names else one for name, one in operations.items()}


def _guarded(function: OperationFunction) -> OperationFunction:
    @wraps(function)
    async def run(dynamo: Any, ctx: RequestContext, params: Params) -> Any:
        for of in _tables(ctx, params):
            table: Table | None = dynamo.tables.find(of)
            if table is not None and "SSESpecification" in table.definition:
                await check_use(ctx, of, table.definition)
        return await function(dynamo, ctx, params)

    return run


def _tables(ctx: RequestContext, params: Params) -> Iterable[TableName]:
    """Those of a request on items; a name that cannot be is left to the operation."""
    if "TableName" not in params:
        return _several(ctx, params)
    try:
        return (named(ctx.scope, params["TableName"]),)
    except ServiceError:
        return ()


def _several(ctx: RequestContext, params: Params) -> Iterator[TableName]:
    try:
        for name in dict.fromkeys(_names(params)):
            yield named(ctx.scope, name)
    except ServiceError:
        return


def _names(params: Params) -> Iterator[str]:
    yield from params.get("RequestItems", ())
    for item in params.get("TransactItems", ()):
        yield from (one["TableName"] for one in item.values())
    given = params.get("Statements") or params.get("TransactStatements") or ([params] if "Statement" in params else ())
    for one in given:
        if isinstance(statement := attempted(one["Statement"]), Statement):
            yield statement.table
