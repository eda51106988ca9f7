"""Query and Scan.

AWS: DynamoDB API Reference, the operations of these names.
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.dynamodb import reading
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions.binding import Bindings
from undercast.services.dynamodb.expressions.conditions import Values, attributes_of
from undercast.services.dynamodb.expressions.syntax import Logic, Node, Path
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.keys import check_scalars
from undercast.services.dynamodb.legacy import Literals, condition_node, legacy_condition, refuse_mixture
from undercast.services.dynamodb.models import Index, Table, named
from undercast.services.dynamodb.ranges import Span, query_span, segment_of

_QUERY = ("KeyConditionExpression", "FilterExpression", "ProjectionExpression")
_INDEXABLE = frozenset({"EQ", "LE", "LT", "GE", "GT", "BEGINS_WITH", "BETWEEN"})
_SCAN = ("FilterExpression", "ProjectionExpression")


@operation("Query")
async def query(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The items of one partition, in the order of the sort key."""
    refuse_mixture(params)
    bindings = Bindings(params, _QUERY)
    node, values = _key_condition(bindings, params)
    test, paths = bindings.test("FilterExpression"), bindings.paths()
    filter_node = bindings.node("FilterExpression")
    bindings.finish()
    table, index = _source(dynamo, ctx, params)
    check_scalars(table, bindings.nested)
    span = query_span(table, index, node, values, forward=params.get("ScanIndexForward", True))
    filtered = attributes_of(filter_node) if filter_node is not None else tuple(params.get("QueryFilter", ()))
    what = "Filter Expression" if filter_node is not None else "QueryFilter"
    reading.check_filter(span.key.names, filtered, what)
    reading.check_projects(index, filtered)
    test = test or legacy_condition(params, "QueryFilter")
    return await _page(dynamo, params, span, reading.wanted_of(table, index, params, (test, paths)))


def _key_condition(bindings: Bindings, params: Params) -> tuple[Node, Values]:
    node = bindings.node("KeyConditionExpression")
    if node is not None:
        return node, bindings.values
    given = params.get("KeyConditions")
    if given is None:
        raise invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
    if not 1 <= len(given) <= 2:
        raise invalid("Conditions can be of length 1 or 2 only")
    literals = Literals()
    nodes = tuple(condition_node(name, one, literals) for name, one in given.items())
    if any(one["ComparisonOperator"] not in _INDEXABLE for one in given.values()):
        raise invalid("Attempted conditional constraint is not an indexable operation")
    found: Node = nodes[0] if len(nodes) == 1 else Logic("AND", nodes)
    return found, literals.values


@operation("Scan")
async def scan(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All items, or those of one segment, in the order of the hashes of their partition keys."""
    refuse_mixture(params)
    segment = segment_of(params)
    bindings = Bindings(params, _SCAN)
    test = bindings.test("FilterExpression")
    paths: tuple[Path, ...] | None = bindings.paths()
    bindings.finish()
    table, index = _source(dynamo, ctx, params)
    check_scalars(table, bindings.nested)
    test = test or legacy_condition(params, "ScanFilter")
    span = Span(table=table, index=index, segment=segment)
    return await _page(dynamo, params, span, reading.wanted_of(table, index, params, (test, paths)))


def _source(dynamo: Dynamo, ctx: RequestContext, params: Params) -> tuple[Table, Index | None]:
    of = named(ctx.scope, params["TableName"])
    table = dynamo.tables.existing(of)
    if "IndexName" not in params:
        return table, None
    index = table.index(params["IndexName"])
    if index.is_global and params.get("ConsistentRead"):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    return table, index


async def _page(dynamo: Dynamo, params: Params, span: Span, wanted: reading.Wanted) -> dict[str, Any]:
    start = params.get("ExclusiveStartKey")
    after = span.position(start) if start is not None else None
    dynamo.throttle.check(span.table, "Read", span.index)
    page = await reading.read_page(dynamo.database, span, wanted, after)
    units = reading.consumed(page, span, consistent=bool(params.get("ConsistentRead")))
    dynamo.throttle.charge(span.table, "Read", units)
    return reading.answer(page, span, params, units)
