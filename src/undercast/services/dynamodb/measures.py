"""What DynamoDB tells CloudWatch of its tables: namespace AWS/DynamoDB.

Capacity by TableName, of a global secondary index by its name as well; latency, returned items and errors by TableName
and Operation. A request of several tables counts for each.
AWS: DynamoDB Developer Guide, "DynamoDB Metrics and dimensions".
"""

from collections.abc import Iterable, Mapping
from functools import wraps
from typing import Any, Literal

from undercast.core.arn import Scope
from undercast.core.clock import Clock
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.metrics import Meter, Metrics
from undercast.core.service import OperationFunction, Params
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.models import Table, TableName, named

_READS = frozenset({"GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"})
_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
_STATEMENTS = frozenset({"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"})
ON_ITEMS = _READS | _WRITES | _STATEMENTS
_EXCEEDED, _CONDITION = "ProvisionedThroughputExceededException", "ConditionalCheckFailedException"


class Measures:
    """One per platform."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._meter = Meter(metrics, clock, "AWS/DynamoDB")

    def consumed(self, table: Table, kind: Literal["Read", "Write"], units: Units) -> None:
        """A request has consumed capacity; a local index's is its table's."""
        name, of_table, total = f"Consumed{kind}CapacityUnits", (("TableName", table.of.name),), units.table
        if units.indexes:
            global_ones = {index.name for index in table.indexes if index.is_global}
            for index, more in units.indexes.items():
                if index in global_ones:
                    of_index = (("GlobalSecondaryIndexName", index), *of_table)
                    self._meter.put(table.of.scope, name, of_index, more)
                else:
                    total += more
        if total:
            self._meter.put(table.of.scope, name, of_table, total)

    def served(self, table: TableName, operation: str, latency_ms: float, returned: int | None) -> None:
        """A request has succeeded."""
        dimensions = (("Operation", operation), ("TableName", table.name))
        self._meter.put(table.scope, "SuccessfulRequestLatency", dimensions, latency_ms, "Milliseconds")
        if returned is not None:
            self._meter.put(table.scope, "ReturnedItemCount", dimensions, float(returned))

    def failed(self, scope: Scope, tables: Iterable[TableName], operation: str, error: ServiceError) -> None:
        """A request was refused."""
        for table in tables:
            of_table = (("TableName", table.name),)
            if error.code == _CONDITION:
                self._meter.put(table.scope, "ConditionalCheckFailedRequests", of_table)
            elif error.code == _EXCEEDED:
                self._meter.put(table.scope, "ThrottledRequests", (("Operation", operation), *of_table))
                kind = "Write" if operation in _WRITES else "Read"
                self._meter.put(table.scope, f"{kind}ThrottleEvents", of_table)
            elif error.status >= 500:
                self._meter.put(table.scope, "SystemErrors", (("Operation", operation), *of_table))
        if error.status < 500 and error.code not in (_CONDITION, _EXCEEDED):
            self._meter.put(scope, "UserErrors", ())


def measured(operations: Mapping[str, OperationFunction]) -> dict[str, OperationFunction]:
    """The operations; those on items tell how they went."""
    return {name: _measured(name, one) if name in ON_ITEMS else one for name, one in operations.items()}


def _measured(name: str, function: OperationFunction) -> OperationFunction:
    @wraps(function)
    async def run(dynamo: Any, ctx: RequestContext, params: Params) -> Any:
        measures: Measures = dynamo.measures
        began = ctx.host_clock.now()
        try:
            answer = await function(dynamo, ctx, params)
        except ServiceError as error:
            measures.failed(ctx.scope, _tables(ctx.scope, params), name, error)
            raise
        latency_ms = max(0.0, 1000 * (ctx.host_clock.now() - began))
        returned = answer["Count"] if name in ("Query", "Scan") and isinstance(answer, Mapping) else None
        for table in _tables(ctx.scope, params):
            measures.served(table, name, latency_ms, returned)
        return answer

    return run


def _tables(scope: Scope, params: Params) -> tuple[TableName, ...]:
    """Those that a request names as such; statements and transactions have them inside."""
    try:
        if "TableName" in params:
            return (named(scope, params["TableName"]),)
        return tuple(named(scope, name) for name in params.get("RequestItems") or ())
    except ServiceError:
        return ()
