"""Export tasks: the events of a group as gzip objects in a bucket.

A task that a stop interrupts begins again at the next start, and writes the same objects.
AWS: CloudWatch Logs User Guide, "Exporting log data to Amazon S3"; API Reference, CreateExportTask.
"""

import asyncio
import gzip
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import Clock, iso_millis
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, service_principal
from undercast.core.record import record
from undercast.core.recurring import insist, settled
from undercast.core.tasks import Tasks
from undercast.services.logs import store
from undercast.services.logs.destination import PRINCIPAL, Internal
from undercast.services.logs.models import Position, group_arn
from undercast.services.logs.store import scope_of
from undercast.store.database import Database, Row, Tx
from undercast.store.journal import Journal

log = logging.getLogger(__name__)

PAGE_EVENTS = 2000
MAX_OBJECT_BYTES = 16 * 1024 * 1024
"""Ours: text of one object before it is packed."""
ACTIVE = frozenset({"PENDING", "RUNNING", "PENDING_CANCEL"})
DEFAULT_PREFIX = "exportedlogs"
TEST_OBJECT = "aws-logs-write-test"
TEST_TEXT = b"Permission Check Successful"


@record
class ExportTask:
    """One task."""

    scope: Scope
    id: str
    name: str
    group: str
    stream_prefix: str
    from_ms: int
    to_ms: int
    bucket: str
    prefix: str
    created_ms: int
    status: str = "PENDING"
    message: str = ""
    completed_ms: int = 0

    def output(self) -> dict[str, Any]:
        """ExportTask."""
        times = {"creationTime": self.created_ms}
        found: dict[str, Any] = {
            "taskId": self.id,
            "logGroupName": self.group,
            "from": self.from_ms,
            "to": self.to_ms,
            "destination": self.bucket,
            "destinationPrefix": self.prefix,
            "status": {"code": self.status, "message": self.message},
            "executionInfo": {**times, "completionTime": self.completed_ms} if self.completed_ms else times,
        }
        return {**found, "taskName": self.name} if self.name else found


class Exports:
    """Runs the tasks."""

    def __init__(self, database: Database, journal: Journal, internal: Internal, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._internal = internal
        self._clock = clock
        self._tasks = Tasks(_tell)
        self._running: dict[str, asyncio.Task[None]] = {}
        """By task id."""

    async def start(self) -> None:
        """Take up what an earlier run left."""
        for task in await self._database.read(active_tasks):
            self.run(task)

    async def stop(self) -> None:
        """Interrupt all."""
        self._tasks.cancel()
        await self._tasks.ended()

    def run(self, task: ExportTask) -> None:
        """Begin."""
        self._running[task.id] = self._tasks.spawn(self._run(task))
        self._running[task.id].add_done_callback(lambda _: self._running.pop(task.id, None))

    async def cancel(self, task: ExportTask) -> None:
        """End it; what is written stays."""
        running = self._running.get(task.id)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        await self._note(task, "CANCELLED", "Cancelled by user")

    def clear(self) -> None:
        """A reset."""
        self._tasks.cancel()

    async def _run(self, task: ExportTask) -> None:
        end = await settled(f"the export task {task.id}", partial(self._write_all, task), _failed)
        await insist("noting the end of an export task", partial(self._note, task, *end))

    async def _write_all(self, task: ExportTask) -> tuple[str, str]:
        """The status at its end, with a message. Raises ServiceError."""
        await self._note(task, "RUNNING", "Started")
        streams = await self._journal.read(lambda tx: store.stream_keys(tx, task.scope, task.group))
        for name, key in streams:
            if name.startswith(task.stream_prefix):
                await self._export(task, name, key)
        return "COMPLETED", "Completed successfully"

    async def _export(self, task: ExportTask, stream: str, key: int) -> None:
        after, number, text = Position(task.from_ms, -1), 0, bytearray()
        while True:
            rows = await self._journal.read(lambda tx, after=after: _page(tx, task, key, after))  # type: ignore[misc]
            for row in rows:
                text += _line(row)
                if len(text) >= MAX_OBJECT_BYTES:
                    await self._put(task, stream, number, bytes(text))
                    number, text = number + 1, bytearray()
            if len(rows) < PAGE_EVENTS:
                break
            after = Position(rows[-1]["timestamp_ms"], rows[-1]["id"])
        if text:
            await self._put(task, stream, number, bytes(text))

    async def _put(self, task: ExportTask, stream: str, number: int, text: bytes) -> None:
        packed = await asyncio.to_thread(gzip.compress, text, 6, mtime=0)
        key = f"{task.prefix}/{task.id}/{stream.replace('/', '-')}/{number:06d}.gz"
        await put_object(self._internal, task, key, packed)

    async def _note(self, task: ExportTask, status: str, message: str) -> None:
        completed_ms = 0 if status in ACTIVE else int(self._clock.now() * 1000)
        changed = replace(task, status=status, message=message, completed_ms=completed_ms)
        await self._database.write(lambda tx: set_status(tx, changed))


def writer(task: ExportTask) -> Principal:
    """Who writes a task's objects."""
    return service_principal(PRINCIPAL, task.scope.account_id, group_arn(task.scope, task.group))


async def put_object(internal: Internal, task: ExportTask, key: str, body: bytes) -> None:
    """As CloudWatch Logs, for the group: the policies of the bucket and of its key let it, or do not."""
    ctx = internal(task.scope, writer(task))
    await ctx.call("s3", "PutObject", {"Bucket": task.bucket, "Key": key, "Body": body})


def _tell(error: BaseException) -> None:
    log.error("an export task failed", exc_info=error)


def _failed(error: Exception) -> tuple[str, str]:
    text = error.message if isinstance(error, ServiceError) else f"An internal error occurred: {error!r}"
    return "FAILED", text


def _page(tx: Tx, task: ExportTask, key: int, after: Position) -> Sequence[Row]:
    found: list[Row] = []
    for row in store.events(tx, key, after, Position(task.to_ms + 1, 0)):
        found.append(row)
        if len(found) == PAGE_EVENTS:
            break
    return found


def _line(row: Row) -> bytes:
    return f"{iso_millis(row['timestamp_ms'] / 1000)} {row['message'].removesuffix(chr(10))}\n".encode(errors="replace")


def add_task(tx: Tx, task: ExportTask) -> None:
    """A new one."""
    tx.execute(
        "INSERT INTO logs_export_task (account_id, region, id, name, group_name, stream_prefix, from_ms, to_ms, bucket,"
        " prefix, created_ms, status, message, completed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *scope_of(task.scope),
            task.id,
            task.name,
            task.group,
            task.stream_prefix,
            task.from_ms,
            task.to_ms,
            task.bucket,
            task.prefix,
            task.created_ms,
            task.status,
            task.message,
            task.completed_ms,
        ),
    )


def set_status(tx: Tx, task: ExportTask) -> None:
    """How far it is. One that has ended stays as it is."""
    marks = ", ".join("?" for _ in ACTIVE)
    tx.execute(
        f"UPDATE logs_export_task SET status = ?, message = ?, completed_ms = ? WHERE id = ? AND status IN ({marks})",
        (task.status, task.message, task.completed_ms, task.id, *ACTIVE),
    )


def tasks(tx: Tx, scope: Scope) -> list[ExportTask]:
    """Of a scope, newest first."""
    query = "SELECT * FROM logs_export_task WHERE account_id = ? AND region = ? ORDER BY created_ms DESC, id"
    return [_task(row) for row in tx.all(query, scope_of(scope))]


def active_tasks(tx: Tx) -> list[ExportTask]:
    """Those of every scope that have not ended."""
    marks = ", ".join("?" for _ in ACTIVE)
    return [_task(row) for row in tx.all(f"SELECT * FROM logs_export_task WHERE status IN ({marks})", (*ACTIVE,))]


def _task(row: Row) -> ExportTask:
    return ExportTask(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        id=row["id"],
        name=row["name"],
        group=row["group_name"],
        stream_prefix=row["stream_prefix"],
        from_ms=row["from_ms"],
        to_ms=row["to_ms"],
        bucket=row["bucket"],
        prefix=row["prefix"],
        created_ms=row["created_ms"],
        status=row["status"],
        message=row["message"],
        completed_ms=row["completed_ms"],
    )
