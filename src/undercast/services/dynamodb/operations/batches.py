"""BatchGetItem and BatchWriteItem.

A batch is done in one transaction. Unprocessed is what 16 MB leave out, and what a throttled table does not take.
AWS: DynamoDB API Reference, the operations of these names.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.dynamodb import capacity, inline, items, writing
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.errors import invalid
from undercast.services.dynamodb.expressions.paths import projected, tree_of
from undercast.services.dynamodb.inline import Budget
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.items import Origin
from undercast.services.dynamodb.keys import check_scalars, key_of
from undercast.services.dynamodb.models import Table, TableName, named
from undercast.services.dynamodb.operations.items import projection
from undercast.services.dynamodb.throttle import exceeded
from undercast.services.dynamodb.writing import Done, Target, Write
from undercast.services.item_text import Item
from undercast.store.database import Tx

MAX_GETS, MAX_WRITES = 100, 25
MAX_BYTES = 16 * 1024 * 1024
_INLINE_KEYS = 10
"""Of more even small ones take too long on the event loop."""


@operation("BatchGetItem")
async def batch_get_item(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 100 items of several tables, as far as 16 MB reach; the rest is in UnprocessedKeys."""
    requests = params["RequestItems"]
    keys = sum(len(one["Keys"]) for one in requests.values())
    if keys > MAX_GETS:
        raise invalid("Too many items requested for the BatchGetItem call")
    wanted = [(name, named(ctx.scope, name), one, projection(one)) for name, one in requests.items()]

    def read(tx: Tx, budget: Budget) -> _Gets:
        reader = _Gets(dynamo, budget)
        for name, of, one, paths in wanted:
            tree = None if paths is None else tree_of(paths)
            check_scalars(dynamo.tables.get(tx, of), paths or ())
            found = reader.read(tx, (name, of), one)
            reader.responses[name] = found if tree is None else [projected(item, tree) for item in found]
        if not reader.processed:
            raise exceeded()
        return reader

    reader = await inline.read(dynamo.database, read, heavy=keys > _INLINE_KEYS)
    for table, units in reader.consumed:
        dynamo.throttle.charge(table, "Read", units)
    consumed = capacity.all_shown(params.get("ReturnConsumedCapacity"), reader.consumed)
    return {"Responses": reader.responses, "UnprocessedKeys": reader.unprocessed, **consumed}


class _Gets:
    """One BatchGetItem."""

    def __init__(self, dynamo: Dynamo, budget: Budget) -> None:
        self._dynamo = dynamo
        self._budget = budget
        self._left = MAX_BYTES
        self.processed = 0
        self.responses: dict[str, list[Item]] = {}
        self.unprocessed: dict[str, dict[str, Any]] = {}
        self.consumed: list[tuple[Table, Units]] = []

    def read(self, tx: Tx, of: tuple[str, TableName], request: Mapping[str, Any]) -> list[Item]:
        """One table's keys."""
        table = self._dynamo.tables.get(tx, of[1])
        keys = [key_of(table, given)[0] for given in request["Keys"]]
        if len(set(keys)) != len(keys):
            raise invalid("Provided list of item keys contains duplicates")
        consistent = bool(request.get("ConsistentRead"))
        found, units = [], Units()
        throttled = not self._dynamo.throttle.allows(table, "Read")
        for at, key in enumerate(keys):
            stored = items.find(tx, table, key)
            size = stored.size if stored is not None else 0
            if size > self._left or throttled:
                self.unprocessed[of[0]] = {**request, "Keys": request["Keys"][at:]}
                break
            self._left -= size
            self._budget.take(size)
            units.table += capacity.read_units(size, consistent=consistent)
            self.processed += 1
            if stored is not None:
                found.append(stored.item)
        self.consumed.append((table, units))
        return found


@operation("BatchWriteItem")
async def batch_write_item(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Up to 25 puts and deletes in several tables; those of a table that is throttled are in UnprocessedItems."""
    requests = params["RequestItems"]
    if sum(map(len, requests.values())) > MAX_WRITES:
        raise invalid("Too many items requested for the BatchWriteItem call")
    heavy, now = inline.is_heavy(requests), dynamo.clock.now()

    def prepare() -> dict[str, list[Write]]:
        return {name: _prepared(named(ctx.scope, name), many) for name, many in requests.items()}

    writes = await inline.prepared(prepare, heavy=heavy)

    def write(tx: Tx, budget: Budget) -> dict[str, list[Done]]:
        origin = Origin(ctx, now, budget)
        targets = {name: [writing.target_of(dynamo, tx, one) for one in many] for name, many in writes.items()}
        _check_apart(targets)
        found = {}
        for name, many in writes.items():
            if dynamo.throttle.allows(targets[name][0].table, "Write"):
                pairs = zip(many, targets[name], strict=True)
                found[name] = [writing.done_at(dynamo, tx, origin, one, target) for one, target in pairs]
        if not found:
            raise exceeded()
        return found

    results = await inline.write(dynamo.database, write, heavy=heavy)
    unprocessed = {name: many for name, many in requests.items() if name not in results}
    consumed = [(many[0].table, _sum(many)) for many in results.values()]
    for table, units in consumed:
        dynamo.throttle.charge(table, "Write", units)
    answer: dict[str, Any] = {"UnprocessedItems": unprocessed}
    if params.get("ReturnItemCollectionMetrics") == "SIZE":
        answer["ItemCollectionMetrics"] = {
            name: [writing.collection_metrics(many[0].table, one.given) for one in writes[name]]
            for name, many in results.items()
            if many[0].table.has_local_indexes
        }
    answer.update(capacity.all_shown(params.get("ReturnConsumedCapacity"), consumed))
    return answer


def _sum(results: list[Done]) -> Units:
    units = Units()
    for result in results:
        units.add(writing.units_of(result))
    return units


def _prepared(of: TableName, requests: Sequence[Mapping[str, Any]]) -> list[Write]:
    found = []
    for request in requests:
        if len(request) != 1:
            what = "more than one" if request else "none"
            raise invalid(
                f"Supplied WriteRequest has {what} of PutRequest and DeleteRequest set, must contain exactly one"
            )
        if "PutRequest" in request:
            found.append(writing.plain(writing.PUT, of, request["PutRequest"]["Item"]))
        else:
            found.append(writing.plain(writing.DELETE, of, request["DeleteRequest"]["Key"]))
    return found


def _check_apart(targets: Mapping[str, Sequence[Target]]) -> None:
    places = [target.place for many in targets.values() for target in many]
    if len(set(places)) != len(places):
        raise invalid("Provided list of item keys contains duplicates")
