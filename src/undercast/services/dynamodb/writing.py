"""One write of one item, from a request's words to the change: Put, Update, Delete or a mere check.

PutItem, BatchWriteItem, TransactWriteItems and the rest take this one way. `prepared` needs no table and no row; `done`
runs in the transaction.
AWS: DynamoDB API Reference, PutItem, UpdateItem, DeleteItem, TransactWriteItems.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from undercast.core.arn import Scope
from undercast.core.record import record
from undercast.services.dynamodb import items
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.errors import condition_failed, duplicate, invalid, invalid_value
from undercast.services.dynamodb.expressions.binding import Bindings, Update
from undercast.services.dynamodb.expressions.paths import projected, tree_of
from undercast.services.dynamodb.expressions.syntax import Path
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.items import New, Origin, Place, Stored
from undercast.services.dynamodb.keys import Key, check_index_keys, check_scalars, key_in, key_of
from undercast.services.dynamodb.legacy import EXPRESSIVE, legacy_condition, legacy_update, refuse_mixture
from undercast.services.dynamodb.models import Table, TableName, named
from undercast.services.dynamodb.values import MAX_ITEM_BYTES, checked_item, item_size
from undercast.services.item_text import Item, loaded
from undercast.store.database import Tx

PUT, DELETE, UPDATE, CHECK = "Put", "Delete", "Update", "ConditionCheck"
_KINDS = {
    PUT: ("ConditionExpression",),
    DELETE: ("ConditionExpression",),
    UPDATE: ("UpdateExpression", "ConditionExpression"),
    CHECK: ("ConditionExpression",),
}
Condition = Callable[[Mapping[str, Any]], bool]


@record
class Write:
    """What is to be done with one item."""

    kind: str
    of: TableName
    given: Item
    """The whole item of a Put, else the Key as the request has it."""
    size: int
    """Of a Put's item."""
    condition: Condition | None = None
    update: Update | None = None
    nested: tuple[Path, ...] = ()
    """The paths of its expressions that go into an attribute."""
    shows_on_failure: bool = False
    """ReturnValuesOnConditionCheckFailure is ALL_OLD."""
    is_insert: bool = False
    """PartiQL's: the item must not be there."""


class Target(NamedTuple):
    """The item that a write is about."""

    table: Table
    key: Key
    start: Item
    """What an item begins with that was not there: its key; of a Put all of it."""

    @property
    def place(self) -> tuple[int, Key]:
        """The same for all writes of one item."""
        return self.table.id, self.key


class Done(NamedTuple):
    """What was done."""

    table: Table
    old: Stored | None
    new: New | None

    @property
    def old_item(self) -> Item | None:
        """None where there was none."""
        return None if self.old is None else self.old.item


def prepared(kind: str, scope: Scope, params: Mapping[str, Any]) -> Write:
    """Raises ValidationException for whatever is wrong without looking at the table."""
    of = named(scope, params["TableName"])
    given = params["Item"] if kind == PUT else params["Key"]
    if kind != UPDATE and EXPRESSIVE.isdisjoint(params):
        return plain(kind, of, given)
    refuse_mixture(params)
    bindings = Bindings(params, _KINDS[kind])
    update = bindings.update() if kind == UPDATE else None
    condition = bindings.test("ConditionExpression") or legacy_condition(params)
    bindings.finish()
    if kind == UPDATE and update is None:
        update = legacy_update(params)
    return replace(
        plain(kind, of, given),
        condition=condition,
        update=update,
        nested=bindings.nested,
        shows_on_failure=params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
    )


def plain(kind: str, of: TableName, given: Item) -> Write:
    """A write without any expression, as those of BatchWriteItem are. Raises ValidationException."""
    size = 0
    if kind == PUT:
        given, size = checked_item(given)
        if size > MAX_ITEM_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")
    return Write(kind=kind, of=of, given=given, size=size)


def done(dynamo: Dynamo, tx: Tx, origin: Origin, write: Write, *, in_transaction: bool = False) -> Done:
    """Do it. Raises ResourceNotFoundException, ValidationException, ConditionalCheckFailedException."""
    result = done_at(dynamo, tx, origin, write, target_of(dynamo, tx, write))
    units = units_of(result)
    tx.after_commit(lambda: dynamo.throttle.charge(result.table, "Write", units.doubled() if in_transaction else units))
    return result


def done_at(dynamo: Dynamo, tx: Tx, origin: Origin, write: Write, target: Target) -> Done:
    """`done` for a write of which it was asked before where it goes; what it consumes the caller charges."""
    table, key, start = target
    dynamo.throttle.check(table, "Write")
    if write.kind == PUT:
        check_index_keys(table, write.given)
    if write.update is not None:
        check_keeps_key(table, write.update)
    check_scalars(table, write.nested)
    old = items.find(tx, table, key)
    if origin.budget is not None:
        origin.budget.take(write.size + (old.size if old is not None else 0))
    if write.is_insert and old is not None:
        raise duplicate()
    if write.condition is not None and not write.condition(old.item if old is not None else {}):
        raise condition_failed(old.item if old is not None and write.shows_on_failure else None)
    new = _new(write, table, start, old)
    if write.kind != CHECK:
        items.change(Place(dynamo, tx, table, key), origin, old, new)
    return Done(table, old, new)


def units_of(result: Done) -> Units:
    """What a write has consumed."""
    return items.units_of(result.table, result.old, result.new)


def check_keeps_key(table: Table, update: Update) -> None:
    """Raises ValidationException for an update of a key attribute."""
    for path in update.paths:
        if path.parts[0] in table.key.names:
            raise invalid_value(f"Cannot update attribute {path.parts[0]}. This attribute is part of the key")


def _new(write: Write, table: Table, start: Item, old: Stored | None) -> New | None:
    if write.kind == PUT:
        return New(write.given, write.size)
    if write.kind != UPDATE:
        return None
    update = write.update
    if old is None:
        before, fresh = start, lambda: dict(start)
        update = update.of_new() if update is not None else None
    else:
        text = old.text
        before, fresh = old.item, lambda: loaded(text)
    item = update.applied(before, fresh) if update is not None else dict(before)
    size = item_size(item)
    if size > MAX_ITEM_BYTES:
        raise invalid("Item size to update has exceeded the maximum allowed size")
    check_index_keys(table, item)
    return New(item, size)


def returned(write: Write, what: str, result: Done) -> Item | None:
    """The Attributes of the answer, by ReturnValues; None for none."""
    if what == "ALL_OLD":
        return result.old_item or None
    if what == "ALL_NEW":
        return result.new.item if result.new is not None else None
    if what in ("UPDATED_OLD", "UPDATED_NEW") and write.update is not None:
        tree = tree_of(write.update.paths)
        of = result.old_item if what == "UPDATED_OLD" else result.new.item if result.new is not None else None
        return (projected(of, tree) or None) if of is not None else None
    return None


def collection_metrics(table: Table, key: Mapping[str, Any]) -> dict[str, Any]:
    """The size of the item collection: an estimate from 0 to 1 GB."""
    name = table.key.hash
    return {"ItemCollectionKey": {name: key[name]}, "SizeEstimateRangeGB": [0.0, 1.0]}


def target_of(dynamo: Dynamo, tx: Tx, write: Write) -> Target:
    """Where a write goes. Raises ResourceNotFoundException, ValidationException."""
    table = dynamo.tables.get(tx, write.of)
    if write.kind == PUT:
        return Target(table, key_in(table, write.given), write.given)
    return Target(table, *key_of(table, write.given))
