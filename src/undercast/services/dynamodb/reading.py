"""The pages of Query and Scan: at most 1 MB or Limit items are looked at, filtered, and given as they were asked for.

A short page is read on the event loop; what is more is read in the store thread, piece by piece.
AWS: DynamoDB Developer Guide, "Paginating table query results in DynamoDB"; API Reference, Query, Scan, Select.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from undercast.core.record import record
from undercast.services.dynamodb import capacity
from undercast.services.dynamodb.capacity import Units
from undercast.services.dynamodb.errors import invalid, invalid_value
from undercast.services.dynamodb.expressions.paths import Tree, leaves, projected, tree_of
from undercast.services.dynamodb.expressions.syntax import Path
from undercast.services.dynamodb.items import Stored
from undercast.services.dynamodb.items import stored as stored_of
from undercast.services.dynamodb.keys import Key
from undercast.services.dynamodb.legacy import attributes_to_get
from undercast.services.dynamodb.models import Index, Table
from undercast.services.dynamodb.ranges import Position, Span
from undercast.services.item_text import Item
from undercast.store.database import Database, Tx

PAGE_BYTES = 1024 * 1024
_INLINE_ITEMS, _INLINE_BYTES = 64, 64 * 1024
_PIECE_ITEMS, _PIECE_BYTES = 2000, 512 * 1024

Filter = Callable[[Mapping[str, Any]], bool]


@record
class Wanted:
    """What of the items is given back."""

    filter: Filter | None
    tree: Tree | None
    """The attributes that are named; None for all."""
    leaves: tuple[Path, ...] | None
    """Of a PartiQL SELECT, in place of `tree`."""
    count_only: bool
    index: Index | None
    """Where it does not hold everything, and everything else is not fetched."""
    limit: int | None
    fetches: bool = False
    """Whether attributes that a local index lacks are read from the table."""

    def of(self, stored: Stored) -> Item:
        """The item as the filter sees it."""
        return stored.item if self.index is None else capacity.projected(self.index, stored.item)


@dataclass(slots=True)
class Page:
    """What has been read so far."""

    items: list[Item] = field(default_factory=list)
    count: int = 0
    scanned: int = 0
    size: int = 0
    fetched: float = 0.0
    """Units for what was read from the table besides the index."""
    last: Position | None = None
    last_stored: Stored | None = None
    ended: bool = False
    """Whether there is nothing behind the last item."""
    full: bool = False


async def read_page(database: Database, span: Span, wanted: Wanted, after: Position | None) -> Page:
    """One page."""
    page = Page(last=after)
    await database.read(lambda tx: _read(tx, span, wanted, (page, _INLINE_ITEMS, _INLINE_BYTES)))
    while not page.ended and not page.full:
        await database.read(lambda tx: _read(tx, span, wanted, (page, _PIECE_ITEMS, _PIECE_BYTES)), long=True)
    return page


def _read(tx: Tx, span: Span, wanted: Wanted, piece: tuple[Page, int, int]) -> None:
    """Add rows to the page, up to so many items or bytes."""
    page, left, left_bytes = piece
    until = page.size + left_bytes
    sql, params = span.sql(page.last)
    limit = left if wanted.limit is None else min(left, wanted.limit - page.scanned)
    before = page.scanned
    for row in tx.each(f"{sql} LIMIT ?", (*params, limit)):
        stored = stored_of(row)
        size = stored.size if wanted.index is None else capacity.entry_size(wanted.index, stored.item)
        if page.scanned and page.size + size > PAGE_BYTES:
            page.full = True
            break
        _take(page, wanted, stored, size)
        page.last = Position(key=Key(row["hash"], row["range"]), base=row["base"])
        page.last_stored = stored
        if page.size >= until:
            break
    else:
        page.ended = page.scanned - before < limit
    if wanted.limit is not None and page.scanned >= wanted.limit:
        page.full = True


def _take(page: Page, wanted: Wanted, stored: Stored, size: int) -> None:
    page.scanned += 1
    page.size += size
    if wanted.fetches:
        page.fetched += capacity.read_units(stored.size, consistent=False)
    if wanted.count_only and wanted.filter is None:
        page.count += 1
        return
    item = wanted.of(stored)
    if wanted.filter is not None and not wanted.filter(item):
        return
    page.count += 1
    if not wanted.count_only:
        page.items.append(_shown(item, wanted))


def _shown(item: Item, wanted: Wanted) -> Item:
    if wanted.leaves is not None:
        return leaves(item, wanted.leaves)
    return item if wanted.tree is None else projected(item, wanted.tree)


def wanted_of(
    table: Table, index: Index | None, params: Mapping[str, Any], found: tuple[Filter | None, tuple[Path, ...] | None]
) -> Wanted:
    """From Select and the like; `found` is (filter, projection). Raises ValidationException."""
    test, paths = found
    select = params.get("Select")
    attributes = attributes_to_get(params)
    if attributes is not None:
        paths = attributes
    _check_select(select, index, named=paths is not None, legacy=attributes is not None)
    partial = index if index is not None and index.projection != "ALL" else None
    fetches = False
    if partial is not None:
        needed = [str(path.parts[0]) for path in paths or ()]
        missing = [name for name in needed if name not in partial.attributes]
        if missing and partial.is_global:
            shown = ", ".join(missing)
            raise invalid_value(f"Global secondary index {partial.name} does not project [{shown}]")
        if select == "ALL_ATTRIBUTES" and partial.is_global:
            raise invalid_value(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index {partial.name} because its "
                "projection type is not ALL"
            )
        fetches = bool(missing) or select == "ALL_ATTRIBUTES"
    return Wanted(
        filter=test,
        tree=None if paths is None else tree_of(paths),
        leaves=None,
        count_only=select == "COUNT",
        index=None if fetches else partial,
        limit=params.get("Limit"),
        fetches=fetches,
    )


def _check_select(select: str | None, index: Index | None, *, named: bool, legacy: bool) -> None:
    what = "AttributesToGet" if legacy else "ProjectionExpression"
    if select == "ALL_PROJECTED_ATTRIBUTES" and index is None:
        raise invalid_value("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if named and select not in (None, "SPECIFIC_ATTRIBUTES"):
        shown = "only the Count" if select == "COUNT" else select
        raise invalid_value(f"Cannot specify the {what} when choosing to get {shown}")
    if select == "SPECIFIC_ATTRIBUTES" and not named:
        raise invalid_value("Must specify the AttributesToGet or ProjectionExpression when choosing to get "
                            "SPECIFIC_ATTRIBUTES")  # fmt: skip


def check_filter(table_key: tuple[str, ...], names: tuple[str, ...], what: str) -> None:
    """Raises ValidationException for a Query's filter on the keys of what is queried; `what` names the filter."""
    for name in names:
        if name in table_key:
            raise invalid(f"{what} can only contain non-primary key attributes: Primary key attribute: {name}")


def check_projects(index: Index | None, names: tuple[str, ...]) -> None:
    """Raises ValidationException for a Query's filter on what the index does not hold."""
    if index is None or index.projection == "ALL":
        return
    if missing := sorted({name for name in names if name not in index.attributes}):
        shown = ", ".join(missing)
        raise invalid_value(f"Secondary index {index.name} does not project one or more filter attributes: [{shown}]")


def consumed(page: Page, span: Span, *, consistent: bool) -> Units:
    """What a page has consumed."""
    units = capacity.read_units(page.size, consistent=consistent)
    return Units(units) if span.index is None else Units(page.fetched, {span.index.name: units})


def answer(page: Page, span: Span, params: Mapping[str, Any], units: Units) -> dict[str, Any]:
    """The output of Query and Scan."""
    found: dict[str, Any] = {"Count": page.count, "ScannedCount": page.scanned}
    if params.get("Select") != "COUNT":
        found["Items"] = page.items
    if not page.ended and page.last_stored is not None:
        found["LastEvaluatedKey"] = span.last_key(page.last_stored.item)
    shown = capacity.shown(params.get("ReturnConsumedCapacity"), span.table, units)
    return found if shown is None else {**found, "ConsumedCapacity": shown}
