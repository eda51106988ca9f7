"""The entries of a whole index: one that was added to a table, or that of a table that was restored.

AWS: DynamoDB Developer Guide, "Adding a Global Secondary Index to an existing table" (backfilling).
"""

from undercast.services.dynamodb import items
from undercast.services.dynamodb.keys import index_key, key_in
from undercast.services.dynamodb.models import Index, Table
from undercast.store.database import Tx


def fill(tx: Tx, table: Table, index: Index) -> None:
    """The entries of a new index. Items whose attributes cannot be its key are left out, as AWS's backfill does."""
    for row in tx.each("SELECT id, size, item FROM dynamodb_item WHERE table_id = ?", (table.id,)):
        stored = items.stored(row)
        item = stored.item
        fits = all(
            table.types[name] in item.get(name, ()) and item[name][table.types[name]] for name in index.key.names
        )
        key = index_key(index, item) if fits else None
        if key is not None:
            items.add_entry(tx, index.id, key, (key_in(table, item).joined, stored.id))
