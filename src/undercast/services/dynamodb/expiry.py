"""Time to live: items whose time is over are deleted, with a stream record by dynamodb.amazonaws.com.

One task, paused on the platform clock; AWS takes up to some days, this a minute. It also takes away large tables that
were deleted, what no table can be restored to any more, backups and request tokens that are over.
AWS: DynamoDB Developer Guide, "Using time to live (TTL) in DynamoDB", "DynamoDB Streams and Time to Live".
"""

import asyncio
from functools import partial

from undercast.core.recurring import Rounds
from undercast.services.dynamodb import backup_rows, items, recovery, tables, transfers
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.items import Origin, Place
from undercast.services.dynamodb.keys import key_in
from undercast.services.dynamodb.models import TableName
from undercast.store.database import Tx

ROUND_S = 60.0
TOO_OLD_S = 5 * 365 * 86_400
"""An item that expired longer ago stays: AWS takes it for a mistake."""
_AT_ONCE = 100


class Expiry:
    """See the module. `rounds` is started and stopped with the platform."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo
        self.rounds = Rounds("DynamoDB's expiry", self.round, dynamo.clock, ROUND_S)

    async def round(self) -> None:
        """Delete what is due, a hundred items in a transaction; then what nobody needs any more."""
        database = self._dynamo.database
        for table in await database.read(tables.with_ttl):
            removed = _AT_ONCE
            while removed == _AT_ONCE:
                removed = await database.write(partial(self._some, table.of))
                await asyncio.sleep(0)  # not to wait, but to let others run
        while await database.write(tables.sweep, long=True):
            pass
        while await database.write(lambda tx: recovery.trim(tx, self._dynamo.clock.now()), long=True):
            pass
        await database.write(self._remove_ended)

    def _remove_ended(self, tx: Tx) -> None:
        now = self._dynamo.clock.now()
        tx.execute("DELETE FROM dynamodb_token WHERE ends_at <= ?", (now,))
        backup_rows.remove_ended(tx, now)
        transfers.remove_old(tx, now)

    def _some(self, of: TableName, tx: Tx) -> int:
        table = tables.find(tx, of)
        if table is None or not table.ttl_attribute:
            return 0
        now = self._dynamo.clock.now()
        rows = tx.all(
            "SELECT id, size, item FROM dynamodb_item"
            " WHERE table_id = ? AND expires_at <= ? AND expires_at > ? LIMIT ?",
            (table.id, int(now), int(now) - TOO_OLD_S, _AT_ONCE),
        )
        for row in rows:
            stored = items.stored(row)
            place = Place(self._dynamo, tx, table, key_in(table, stored.item))
            items.change(place, Origin(None, now), stored, None)
        return len(rows)
