"""The rows of queues, and the queues that were read last.

A queue is looked up by every request; what was read stays until this process changes the row.
AWS: SQS API Reference.
"""

import json
from collections.abc import Iterator, Mapping

from undercast.core.arn import Scope
from undercast.services.kept import Kept
from undercast.services.sqs.errors import no_queue
from undercast.services.sqs.models import Queue, QueueName, queue_of
from undercast.store.database import Database, Tx
from undercast.store.numbers import next_number


class Queues(Kept[QueueName, Queue]):
    """See the module."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, find)

    def get(self, name: QueueName) -> Queue:
        """Raises QueueDoesNotExist."""
        queue = self.find(name)
        if queue is None:
            raise no_queue()
        return queue

    def still(self, tx: Tx, queue: Queue) -> Queue:
        """A queue that was looked at before its turn to write came, as it is now. Raises QueueDoesNotExist.

        Also where another one has its name by now: who asked was let in by the policy of the one that has gone.
        """
        current = self.within(tx, queue.full_name)
        if current is None or current.id != queue.id:
            raise no_queue()
        return current

    def again(self, queue: Queue) -> Queue:
        """The same on the event loop, outside of a write."""
        current = self.find(queue.full_name)
        if current is None or current.id != queue.id:
            raise no_queue()
        return current


def find(tx: Tx, name: QueueName) -> Queue | None:
    """The queue's row."""
    row = tx.one("SELECT * FROM sqs_queue WHERE account_id = ? AND region = ? AND name = ?", (*name.scope, name.name))
    return None if row is None else queue_of(row)


def existing(tx: Tx, name: QueueName) -> Queue:
    """Raises QueueDoesNotExist."""
    queue = find(tx, name)
    if queue is None:
        raise no_queue()
    return queue


def add(tx: Tx, name: QueueName, attributes: Mapping[str, str], tags: Mapping[str, str], now: float) -> None:
    """A new, empty queue."""
    tx.execute(
        "INSERT INTO sqs_queue (id, account_id, region, name, created_at, modified_at, purged_at, attributes, tags)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            next_number(tx, "sqs_queue_number"),
            *name.scope,
            name.name,
            now,
            now,
            0.0,
            json.dumps(dict(attributes)),
            json.dumps(dict(tags)),
        ),
    )


def set_attributes(tx: Tx, queue: Queue, attributes: Mapping[str, str], now: float) -> None:
    """Replace them all."""
    tx.execute(
        "UPDATE sqs_queue SET attributes = ?, modified_at = ? WHERE id = ?",
        (json.dumps(dict(attributes)), now, queue.id),
    )


def set_tags(tx: Tx, queue: Queue, tags: Mapping[str, str]) -> None:
    """Replace them all."""
    tx.execute("UPDATE sqs_queue SET tags = ? WHERE id = ?", (json.dumps(dict(tags)), queue.id))


def set_purged(tx: Tx, queue: Queue, now: float) -> None:
    """When it was purged last."""
    tx.execute("UPDATE sqs_queue SET purged_at = ? WHERE id = ?", (now, queue.id))


def remove(tx: Tx, queue: Queue) -> None:
    """The queue with its messages, and what is remembered of them."""
    for table in ("sqs_message", "sqs_deduplication", "sqs_attempt"):
        tx.execute(f"DELETE FROM {table} WHERE queue_id = ?", (queue.id,))
    tx.execute("DELETE FROM sqs_queue WHERE id = ?", (queue.id,))


def named(tx: Tx, scope: Scope, prefix: str, after: str) -> Iterator[Queue]:
    """The queues of a scope by name."""
    end = prefix + "\U0010ffff"
    rows = tx.each(
        "SELECT * FROM sqs_queue WHERE account_id = ? AND region = ? AND name > ? AND name >= ? AND name <= ?"
        " ORDER BY name",
        (*scope, after, prefix, end),
    )
    return (queue_of(row) for row in rows)
