"""Message move tasks: from a dead-letter queue back to where its messages came from, or to another queue.

The task is a row, each batch of messages one commit with the count; a task that a stop interrupts goes on at the start.
AWS: SQS Developer Guide, "Configure a dead-letter queue redrive"; API Reference, StartMessageMoveTask.
"""

import logging
import sqlite3
from collections.abc import Sequence

from undercast.core.arn import Scope
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.core.recurring import every
from undercast.core.tasks import Tasks
from undercast.events.causality import CausalLog
from undercast.services.sqs import messages, queues
from undercast.services.sqs.lineage import redriven
from undercast.services.sqs.models import Queue, named_by_arn
from undercast.services.sqs.waiting import Waiting
from undercast.store.database import Database, Row, Tx

log = logging.getLogger(__name__)

BATCH = 100
RETRY_S = 5.0
FASTEST_PER_S = 500
RUNNING, COMPLETED, CANCELLING, CANCELLED, FAILED = "RUNNING", "COMPLETED", "CANCELLING", "CANCELLED", "FAILED"

NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
"""Why a task has failed."""


@record
class MoveTask:
    """A task that is about to start. `rate` is messages per second; 0 lets us choose."""

    id: str
    scope: Scope
    source_arn: str
    destination_arn: str
    """"" for the queues that the messages came from."""
    rate: int
    to_move: int
    started_at: float


class Moves:
    """Runs the tasks."""

    def __init__(self, database: Database, waiting: Waiting, causality: CausalLog, ids: Ids) -> None:
        self._database = database
        self._waiting = waiting
        self._causality = causality
        self._clock = causality.clock
        self._ids = ids
        self._tasks = Tasks(_tell)

    async def resume(self) -> None:
        """Go on with what the last stop interrupted."""
        rows = await self._database.read(lambda tx: tx.all("SELECT id FROM sqs_move_task WHERE status = ?", (RUNNING,)))
        for row in rows:
            self.run(row["id"])

    def run(self, task_id: str) -> None:
        """Begin, or go on."""
        self._tasks.spawn(self._run(task_id))

    async def stop(self) -> None:
        """End for now: rows stay RUNNING."""
        self._tasks.cancel()
        await self._tasks.ended()

    async def _run(self, task_id: str) -> None:
        while True:
            try:
                moved, rate = await self._database.write(lambda tx: self._batch(tx, task_id))
            except sqlite3.Error as error:
                log.warning("message move task %s waits: the store failed with %r", task_id, error)
                await every(RETRY_S)()
                continue
            if not moved:
                return
            await every(moved / rate)()

    def _batch(self, tx: Tx, task_id: str) -> tuple[int, int]:
        """Move some messages; (how many, how many a second). Nothing when the task is over."""
        task = tx.one("SELECT * FROM sqs_move_task WHERE id = ?", (task_id,))
        if task is None or task["status"] != RUNNING:
            return 0, 1
        rate = task["rate"] or FASTEST_PER_S
        source = queues.find(tx, named_by_arn(task["source_arn"]))
        rows = messages.at_rest(tx, source, self._clock.now(), min(BATCH, rate)) if source is not None else ()
        moved, failure = self._move(tx, task, source, rows) if source is not None else (0, "")
        status = FAILED if failure else RUNNING if moved else COMPLETED
        tx.execute(
            "UPDATE sqs_move_task SET moved = moved + ?, status = ?, failure = ? WHERE id = ?",
            (moved, status, failure, task_id),
        )
        return (moved, rate) if status == RUNNING else (0, rate)

    def _move(self, tx: Tx, task: Row, source: Queue, rows: Sequence[Row]) -> tuple[int, str]:
        """(how many, why no more)."""
        targets: dict[str, Queue] = {}
        for moved, row in enumerate(rows):
            arn = task["destination_arn"] or row["source_arn"]
            target = targets.get(arn) or (queues.find(tx, named_by_arn(arn)) if arn else None)
            if target is None:
                return moved, NO_QUEUE
            targets[arn] = target
            new_id, now = self._ids.uuid(), self._clock.now()
            messages.redrive(tx, row, (source, target), now, new_id)
            self._causality.record(tx, redriven(row, new_id, target, now))
        for target in targets.values():
            tx.after_commit(lambda queue_id=target.id: self._waiting.wake_all(queue_id))  # type: ignore[misc]
        return len(rows), ""


def add(tx: Tx, task: MoveTask) -> None:
    """A task that runs from now on."""
    tx.execute(
        "INSERT INTO sqs_move_task (id, account_id, region, source_arn, destination_arn, rate, status, failure,"
        " to_move, moved, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, 0, ?)",
        (
            task.id,
            *task.scope,
            task.source_arn,
            task.destination_arn,
            task.rate,
            RUNNING,
            task.to_move,
            task.started_at,
        ),
    )


def of_source(tx: Tx, source_arn: str, most: int) -> Sequence[Row]:
    """The tasks of a dead-letter queue, the latest first."""
    return tx.all(
        "SELECT * FROM sqs_move_task WHERE source_arn = ? ORDER BY started_at DESC, id LIMIT ?", (source_arn, most)
    )


def find(tx: Tx, task_id: str) -> Row | None:
    """A task by its id."""
    return tx.one("SELECT * FROM sqs_move_task WHERE id = ?", (task_id,))


def cancel(tx: Tx, task_id: str) -> None:
    """No further message is moved."""
    tx.execute("UPDATE sqs_move_task SET status = ? WHERE id = ?", (CANCELLED, task_id))


def end_of(tx: Tx, source: Queue) -> None:
    """The dead-letter queue goes: what is made under its name later has nothing to do with its task."""
    tx.execute(
        "UPDATE sqs_move_task SET status = ?, failure = ? WHERE source_arn = ? AND status = ?",
        (FAILED, NO_QUEUE, source.arn, RUNNING),
    )


def _tell(error: BaseException) -> None:
    log.error("a message move task failed and goes on at the next start: %r", error)
