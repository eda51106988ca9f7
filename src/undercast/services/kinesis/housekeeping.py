"""Records that are older than their stream keeps them, and shards that are closed and empty, are removed.

What has expired is never given out; this only takes the rows away. Paused on the platform clock.
AWS: Kinesis Developer Guide, "Change the data retention period", "Data routing, data persistence, and shard state
after a reshard".
"""

from undercast.core.clock import PlatformClock
from undercast.core.recurring import Rounds
from undercast.services.kinesis.models import stream_of
from undercast.store.database import Database, Tx

ROUND_S = 600.0
_AT_ONCE = 1000


class Housekeeping:
    """See the module. `rounds` is started and stopped with the platform."""

    def __init__(self, database: Database, clock: PlatformClock) -> None:
        self._database = database
        self._clock = clock
        self.rounds = Rounds("Kinesis's expiry of records", self.round, clock, ROUND_S)

    async def round(self) -> None:
        """Remove what has expired, a thousand records at a time."""
        while await self._database.write(self._some, long=True):
            pass

    def _some(self, tx: Tx) -> bool:
        """Whether there may be more."""
        now = self._clock.now()
        for row in tx.all("SELECT * FROM kinesis_stream"):
            since = stream_of(row).since(now)
            for shard in tx.all("SELECT id FROM kinesis_shard WHERE stream_id = ?", (row["id"],)):
                if _trim(tx, shard["id"], since) == _AT_ONCE:
                    return True
            tx.execute(
                "DELETE FROM kinesis_shard WHERE stream_id = ? AND closed_at < ? AND NOT EXISTS"
                " (SELECT 1 FROM kinesis_record WHERE shard_id = kinesis_shard.id)",
                (row["id"], since),
            )
        return False


def _trim(tx: Tx, shard_id: int, since: float) -> int:
    oldest = tx.all(
        "SELECT sequence, at FROM kinesis_record WHERE shard_id = ? ORDER BY sequence LIMIT ?", (shard_id, _AT_ONCE)
    )
    due = [row["sequence"] for row in oldest if row["at"] < since]
    if due:
        tx.execute("DELETE FROM kinesis_record WHERE shard_id = ? AND sequence <= ? AND at < ?",
                   (shard_id, due[-1], since))  # fmt: skip
    return len(due)
