"""What SQS tells CloudWatch of its queues: namespace AWS/SQS, dimension QueueName.

Requests are counted as they come. What is in a queue is looked at once a minute, in the store's thread, as long as
there is something in it or it was used within six hours.
AWS: SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS".
"""

from undercast.core.clock import PlatformClock
from undercast.core.metrics import Meter, Metrics
from undercast.core.recurring import Rounds
from undercast.services.sqs import messages
from undercast.services.sqs.models import Queue, queue_of
from undercast.store.database import Database, Tx

ROUND_S = 60.0
ACTIVE_S = 6 * 3600.0
_MOST_KNOWN = 10_000


class Measures:
    """One per platform. `rounds` is started and stopped with it."""

    def __init__(self, metrics: Metrics, database: Database, clock: PlatformClock) -> None:
        self._meter = Meter(metrics, clock, "AWS/SQS")
        self._database = database
        self._clock = clock
        self._used: dict[int, float] = {}
        """When a queue was used last, by its id."""
        self.rounds = Rounds("SQS's look at its queues", self.round, clock, ROUND_S)

    def sent(self, queue: Queue, size_bytes: int) -> None:
        """A message was added by a sender. AWS: what moves to a dead-letter queue by itself is not counted."""
        self._count(queue, "NumberOfMessagesSent", 1)
        self._meter.put(queue.scope, "SentMessageSize", (("QueueName", queue.name),), float(size_bytes), "Bytes")

    def received(self, queue: Queue, number: int) -> None:
        """A ReceiveMessage was answered."""
        if number:
            self._count(queue, "NumberOfMessagesReceived", number)
        else:
            self._count(queue, "NumberOfEmptyReceives", 1)

    def deleted(self, queue: Queue, number: int) -> None:
        """So many messages were deleted."""
        self._count(queue, "NumberOfMessagesDeleted", number)

    def _count(self, queue: Queue, name: str, number: int) -> None:
        if len(self._used) >= _MOST_KNOWN:
            self._used.clear()
        self._used[queue.id] = self._clock.now()
        self._meter.put(queue.scope, name, (("QueueName", queue.name),), float(number))

    async def round(self) -> None:
        """Look at what is in the queues."""
        now = self._clock.now()
        self._used = {known: at for known, at in self._used.items() if now - at <= ACTIVE_S}
        used = frozenset(self._used)
        for queue, counts in await self._database.read(lambda tx: _counted(tx, now, used), long=True):
            of_queue = (("QueueName", queue.name),)
            age_s = 0.0 if counts.oldest_at is None else max(0.0, now - counts.oldest_at)
            for name, value, unit in (
                ("ApproximateNumberOfMessagesVisible", counts.visible, "Count"),
                ("ApproximateNumberOfMessagesNotVisible", counts.in_flight, "Count"),
                ("ApproximateNumberOfMessagesDelayed", counts.delayed, "Count"),
                ("ApproximateAgeOfOldestMessage", age_s, "Seconds"),
            ):
                self._meter.put(queue.scope, name, of_queue, float(value), unit)


def _counted(tx: Tx, now: float, used: frozenset[int]) -> list[tuple[Queue, messages.Counts]]:
    """Every queue that has messages or was used."""
    counted = ((queue, messages.count(tx, queue, now)) for queue in map(queue_of, tx.all("SELECT * FROM sqs_queue")))
    return [(queue, counts) for queue, counts in counted if queue.id in used or counts.oldest_at is not None]
