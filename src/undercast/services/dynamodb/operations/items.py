"""GetItem, PutItem, UpdateItem and DeleteItem.

AWS: DynamoDB API Reference, the operations of these names.
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.dynamodb import capacity, items, writing
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions.binding import Bindings
from undercast.services.dynamodb.expressions.paths import projected, tree_of
from undercast.services.dynamodb.expressions.syntax import Path
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.items import Origin, Stored
from undercast.services.dynamodb.keys import check_scalars, key_of
from undercast.services.dynamodb.legacy import attributes_to_get, refuse_mixture
from undercast.services.dynamodb.models import Table, named
from undercast.store.database import Tx


@operation("GetItem")
async def get_item(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One item, or a part of it."""
    of = named(ctx.scope, params["TableName"])
    paths = projection(params)

    def read(tx: Tx) -> tuple[Table, Stored | None]:
        table = dynamo.tables.get(tx, of)
        dynamo.throttle.check(table, "Read")
        check_scalars(table, paths or ())
        key, _ = key_of(table, params["Key"])
        return table, items.find(tx, table, key)

    table, found = dynamo.database.read_row(read)
    answer: dict[str, Any] = {}
    if found is not None:
        answer["Item"] = found.item if paths is None else projected(found.item, tree_of(paths))
    size = found.size if found is not None else 0
    units = Units(capacity.read_units(size, consistent=bool(params.get("ConsistentRead"))))
    dynamo.throttle.charge(table, "Read", units)
    if shown := capacity.shown(params.get("ReturnConsumedCapacity"), table, units):
        answer["ConsumedCapacity"] = shown
    return answer


def projection(params: Params) -> tuple[Path, ...] | None:
    """ProjectionExpression or AttributesToGet; None for everything."""
    refuse_mixture(params)
    if (attributes := attributes_to_get(params)) is not None:
        return attributes
    if "ProjectionExpression" not in params and "ExpressionAttributeNames" not in params:
        return None
    bindings = Bindings(params, ("ProjectionExpression",))
    paths = bindings.paths()
    bindings.finish()
    return paths


@operation("PutItem")
async def put_item(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new item, or another one in the place of an old one."""
    _check_return_values(params)
    return await _write(dynamo, ctx, writing.prepared(writing.PUT, ctx.scope, params), params)


@operation("DeleteItem")
async def delete_item(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """No item any more; it need not have been there."""
    _check_return_values(params)
    return await _write(dynamo, ctx, writing.prepared(writing.DELETE, ctx.scope, params), params)


@operation("UpdateItem")
async def update_item(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """An item with some attributes changed; it is made if it was not there."""
    return await _write(dynamo, ctx, writing.prepared(writing.UPDATE, ctx.scope, params), params)


def _check_return_values(params: Params) -> None:
    if params.get("ReturnValues", "NONE") not in ("NONE", "ALL_OLD"):
        raise invalid("ReturnValues can only be ALL_OLD or NONE")


async def _write(dynamo: Dynamo, ctx: RequestContext, write: writing.Write, params: Params) -> dict[str, Any]:
    origin = Origin(ctx, dynamo.clock.now())
    result = await dynamo.database.write(lambda tx: writing.done(dynamo, tx, origin, write))
    answer: dict[str, Any] = {}
    if "ReturnValues" in params and (found := writing.returned(write, params["ReturnValues"], result)) is not None:
        answer["Attributes"] = found
    if "ReturnConsumedCapacity" in params:
        units = writing.units_of(result)
        if shown := capacity.shown(params["ReturnConsumedCapacity"], result.table, units):
            answer["ConsumedCapacity"] = shown
    if params.get("ReturnItemCollectionMetrics") == "SIZE" and result.table.has_local_indexes:
        answer["ItemCollectionMetrics"] = writing.collection_metrics(result.table, write.given)
    return answer
