"""Messages that are older than their queue keeps them, and deduplication ids whose five minutes are over, are removed.

What has expired is never given out; this only takes the rows away. Paused on the platform clock.
AWS: SQS API Reference, SetQueueAttributes, MessageRetentionPeriod.
"""

from undercast.core.clock import PlatformClock
from undercast.core.recurring import Rounds
from undercast.services.sqs import messages
from undercast.services.sqs.models import queue_of
from undercast.store.database import Database, Tx

ROUND_S = 300.0
_AT_ONCE = 1000


class Housekeeping:
    """See the module. `rounds` is started and stopped with the platform."""

    def __init__(self, database: Database, clock: PlatformClock) -> None:
        self._database = database
        self._clock = clock
        self.rounds = Rounds("SQS's expiry of messages", self.round, clock, ROUND_S)

    async def round(self) -> None:
        """Remove what has expired, a thousand rows at a time."""
        while await self._database.write(self._some, long=True) == _AT_ONCE:
            pass

    def _some(self, tx: Tx) -> int:
        now = self._clock.now()
        ended = tx.execute(
            "DELETE FROM sqs_deduplication WHERE (queue_id, key) IN ("
            "SELECT queue_id, key FROM sqs_deduplication WHERE ends_at <= ? LIMIT ?)",
            (now, _AT_ONCE),
        )
        if ended == _AT_ONCE:
            return ended
        tx.execute("DELETE FROM sqs_attempt WHERE ends_at <= ?", (now,))
        removed = 0
        for row in tx.all("SELECT * FROM sqs_queue"):
            removed += messages.expire(tx, queue_of(row), now, _AT_ONCE - removed)
            if removed >= _AT_ONCE:
                break
        return removed
