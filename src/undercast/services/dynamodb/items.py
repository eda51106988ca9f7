"""The rows of items, and every change of one: the row, its entries in the indexes, the stream's
record, what point-in-time recovery needs.

All in the caller's transaction, so that none is ever without the others.
AWS: DynamoDB Developer Guide, "Change data capture for DynamoDB Streams", "Stream record".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from undercast.core.context import RequestContext
from undercast.core.record import record
from undercast.events.causality import Edge
from undercast.services import table_streams
from undercast.services.dynamodb import capacity, numbers, recovery
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.forwarding import Change, forward
from undercast.services.dynamodb.inline import Budget
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.keys import Key, index_key
from undercast.services.dynamodb.models import Table
from undercast.services.dynamodb.values import item_size
from undercast.services.item_text import Item, dumped, loaded
from undercast.store.database import Row, Tx


@record(kw_only=False)
class Origin:
    """Why items change. `ctx` is None for what no request asked for: an expiry.

    `budget` is None where one item changes, and in the store thread.
    """

    ctx: RequestContext | None
    now: float
    budget: Budget | None = None


@dataclass(slots=True)
class Stored:
    """An item as it is kept."""

    id: int
    size: int
    text: str
    _item: Item | None = field(default=None)

    @property
    def item(self) -> Item:
        """Not to be changed."""
        if self._item is None:
            self._item = loaded(self.text)
        return self._item


class New(NamedTuple):
    """An item that is to be kept, in canonical form."""

    item: Item
    size: int


def find(tx: Tx, table: Table, key: Key) -> Stored | None:
    """The item of a key."""
    row = tx.one(
        "SELECT id, size, item FROM dynamodb_item WHERE table_id = ? AND hash = ? AND range = ?", (table.id, *key)
    )
    return None if row is None else Stored(row["id"], row["size"], row["item"])


def stored(row: Row) -> Stored:
    """From a row with id, size and item."""
    return Stored(row["id"], row["size"], row["item"])


class Place(NamedTuple):
    """Where something changes."""

    dynamo: Dynamo
    tx: Tx
    table: Table
    key: Key


def change(place: Place, origin: Origin, old: Stored | None, new: New | None) -> None:
    """Make it so that `new` is kept instead of `old`."""
    if old is None and new is None:
        return
    text = dumped(new.item) if new is not None else ""
    if old is not None and new is not None and text == old.text:
        return
    _write_row(place, old, new, text)
    if place.table.recovery_days:
        recovery.note(place.tx, place.table, place.key, (origin.now, old.size if old else 0, old.text if old else None))
    if place.table.stream:
        _write_record(place, origin, old, (new, text))
    if place.table.destinations:
        _forward(place, origin, old, (new, text))


def _write_row(place: Place, old: Stored | None, new: New | None, text: str) -> None:
    tx, table = place.tx, place.table
    if new is None:
        assert old is not None
        tx.execute("DELETE FROM dynamodb_item WHERE id = ?", (old.id,))
    elif old is None:
        tx.execute(
            "INSERT INTO dynamodb_item (table_id, hash, range, size, expires_at, item) VALUES (?, ?, ?, ?, ?, ?)",
            (table.id, *place.key, new.size, expires_at(table, new.item), text),
        )
    else:
        tx.execute(
            "UPDATE dynamodb_item SET size = ?, expires_at = ?, item = ? WHERE id = ?",
            (new.size, expires_at(table, new.item), text, old.id),
        )
    if table.indexes:
        _write_entries(place, old, new)


def expires_at(table: Table, item: Mapping[str, Any]) -> int | None:
    """When the item expires, in seconds since the epoch; only a number counts."""
    if not table.ttl_attribute:
        return None
    value = item.get(table.ttl_attribute)
    if value is None or "N" not in value:
        return None
    moment = int(numbers.parsed(value["N"]))
    return moment if 0 <= moment < 2**62 else None


def _write_entries(place: Place, old: Stored | None, new: New | None) -> None:
    tx, base = place.tx, place.key.joined
    item_id: int | None = old.id if old is not None else None
    for index in place.table.indexes:
        before = index_key(index, old.item) if old is not None else None
        after = index_key(index, new.item) if new is not None else None
        if before == after:
            continue
        if before is not None:
            tx.execute(
                "DELETE FROM dynamodb_entry WHERE index_id = ? AND hash = ? AND range = ? AND base = ?",
                (index.id, *before, base),
            )
        if after is not None:
            if item_id is None:
                found = find(tx, place.table, place.key)
                assert found is not None
                item_id = found.id
            add_entry(tx, index.id, after, (base, item_id))


def add_entry(tx: Tx, index_id: int, key: Key, item: tuple[bytes, int]) -> None:
    """`item` is the joined key of the item in its table, and the id of its row."""
    tx.execute(
        "INSERT INTO dynamodb_entry (index_id, hash, range, base, item_id) VALUES (?, ?, ?, ?, ?)",
        (index_id, *key, *item),
    )


def _write_record(place: Place, origin: Origin, old: Stored | None, after: tuple[New | None, str]) -> None:
    new, text = after
    table, dynamo = place.table, place.dynamo
    item = new.item if new is not None else old.item if old is not None else {}
    keys = {name: item[name] for name in table.key.names}
    images, size = [f'"Keys":{dumped(keys)}'], item_size(keys)
    if new is not None and table.stream in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        images.append(f'"NewImage":{text}')
        size += new.size
    if old is not None and table.stream in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
        images.append(f'"OldImage":{old.text}')
        size += old.size
    event_id = dynamo.ids.hex(32)
    table_streams.append(
        place.tx,
        table.definition["StreamId"],
        table_streams.Change(
            event_id=event_id,
            event_name="INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
            by_expiry=origin.ctx is None,
            size=size,
            images="{" + ",".join(images) + "}",
            at=origin.now,
        ),
    )
    arn = table.definition["LatestStreamArn"]
    if origin.ctx is None:
        dynamo.causality.note_with(place.tx, _expired(table, event_id, origin.now))
    else:
        dynamo.causality.asked(place.tx, origin.ctx, _edge(origin.ctx, event_id, arn, origin.now), table.arn)
    place.tx.after_commit(lambda: dynamo.arrivals.ring(arn))


def _forward(place: Place, origin: Origin, old: Stored | None, after: tuple[New | None, str]) -> None:
    new, text = after
    item = new.item if new is not None else old.item if old is not None else {}
    keys = {name: item[name] for name in place.table.key.names}
    change = Change(
        keys=dumped(keys),
        before=old.text if old is not None else "",
        after=text,
        size=item_size(keys) + sum(one.size for one in (old, new) if one is not None),
        at=origin.now,
        ctx=origin.ctx,
    )
    forward(place.dynamo, place.tx, place.table, change)


def _expired(table: Table, event_id: str, now: float) -> Edge:
    return Edge(
        from_kind="internal",
        from_id="",
        to_kind="record",
        to_id=event_id,
        label=f"record in {table.definition['LatestStreamArn']}, of an expiry",
        at=now,
        scope=table.of.scope,
    )


def _edge(ctx: RequestContext, event_id: str, stream_arn: str, now: float) -> Edge:
    return Edge(
        from_kind="call",
        from_id=ctx.request_id,
        to_kind="record",
        to_id=event_id,
        label=f"record in {stream_arn}",
        at=now,
        scope=ctx.scope,
    )


def units_of(table: Table, old: Stored | None, new: New | None) -> Units:
    """What a write consumes: by the larger of both items."""
    size = max(old.size if old is not None else 0, new.size if new is not None else 0)
    units = Units(capacity.write_units(size))
    for index in table.indexes:
        before = old.item if old is not None else None
        if found := capacity.index_units(index, before, new.item if new is not None else None):
            units.indexes[index.name] = found
    return units
