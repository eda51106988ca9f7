"""Queries that run, and those that have run.

A query reads events newest first, a page at a time in the store's thread, and works on each page in another thread.
Queries are in memory: a restart forgets them, AWS keeps them for seven days.
AWS: CloudWatch Logs User Guide, "Analyzing log data with CloudWatch Logs Insights"; API Reference, StartQuery.
"""

import asyncio
import base64
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from undercast.core.arn import Scope
from undercast.core.tasks import Tasks
from undercast.services.logs import store
from undercast.services.logs.events_of import events_of
from undercast.services.logs.insights.aggregates import TooMuch
from undercast.services.logs.insights.discovery import discovered
from undercast.services.logs.insights.run import Query, Result
from undercast.services.logs.insights.values import Moment, Value
from undercast.services.logs.models import Group, Position, event_bytes
from undercast.store.database import Row, Tx
from undercast.store.journal import Journal

log = logging.getLogger(__name__)

PAGE_EVENTS, PAGE_BYTES = 2000, 8 * 1024 * 1024
MAX_RUNNING = 30
MAX_KNOWN = 1000
MAX_ROWS = 100_000
"""Of the results of all queries together; a new query makes room."""
MAX_BYTES = 256 * 1024 * 1024
"""Of all queries together, those that run and results: old results make room, then a query that needs more fails."""
_CELL_BYTES = 256
SCHEDULED, RUNNING, COMPLETE, FAILED, CANCELLED = "Scheduled", "Running", "Complete", "Failed", "Cancelled"


@dataclass(slots=True, kw_only=True)
class Started:
    """One query, from its start on."""

    id: str
    scope: Scope
    text: str
    query: Query
    groups: Sequence[str]
    start_ms: int
    end_ms: int
    created_ms: int
    began: float
    """Of the host's clock."""
    principal: str
    status: str = SCHEDULED
    results: list[Result] = field(default_factory=list)
    scanned: int = 0
    scanned_bytes: int = 0
    took_s: float = 0.0
    results_bytes: int = 0
    task: "asyncio.Task[None] | None" = None

    def statistics(self) -> dict[str, float]:
        """QueryStatistics. Only indexed fields let queries skip events (API Reference): there are none here."""
        return {
            "recordsMatched": float(self.query.matched),
            "recordsScanned": float(self.scanned),
            "estimatedRecordsSkipped": 0.0,
            "bytesScanned": float(self.scanned_bytes),
            "estimatedBytesSkipped": 0.0,
            "logGroupsScanned": float(len(self.groups)),
            "resultCount": float(len(self.results)),
        }


class Queries:
    """Starts, keeps and stops them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: OrderedDict[str, Started] = OrderedDict()
        self._tasks = Tasks(_tell)

    def find(self, scope: Scope, query_id: str) -> Started | None:
        """One of the scope's."""
        found = self._known.get(query_id)
        return found if found is not None and found.scope == scope else None

    def of(self, scope: Scope) -> list[Started]:
        """All of the scope's, newest first."""
        return [one for one in reversed(self._known.values()) if one.scope == scope]

    def running(self, scope: Scope) -> int:
        """How many of the scope's run."""
        return sum(one.scope == scope and one.task is not None for one in self._known.values())

    def start(self, started: Started, now_ms: int) -> None:
        """Run it."""
        self._forget()
        self._known[started.id] = started
        started.status = RUNNING
        started.task = self._tasks.spawn(self._run(started, now_ms))

    def _forget(self) -> None:
        """The oldest that have ended, so that memory is bounded."""
        rows, size = sum(len(one.results) for one in self._known.values()), self._size()
        for old in [one for one in self._known.values() if one.task is None]:
            if rows <= MAX_ROWS and size <= MAX_BYTES and len(self._known) < MAX_KNOWN:
                return
            rows -= len(old.results)
            size -= old.results_bytes
            del self._known[old.id]

    def _size(self) -> int:
        return sum(one.results_bytes + one.query.size for one in self._known.values())

    def cancel(self, started: Started) -> bool:
        """Stop it; whether it ran."""
        if started.task is None:
            return False
        started.task.cancel()
        started.status, started.task = CANCELLED, None
        return True

    async def stop(self) -> None:
        """The platform stops, or forgets all."""
        self._tasks.cancel()
        await self._tasks.ended()

    def clear(self) -> None:
        """A reset."""
        for one in self._known.values():
            self.cancel(one)
        self._known.clear()

    async def _run(self, started: Started, now_ms: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._scan(started, now_ms)
            started.results, started.results_bytes = await asyncio.to_thread(_results, started.query)
            started.status = COMPLETE
        except asyncio.CancelledError:
            started.status = CANCELLED
            raise
        finally:
            started.status = FAILED if started.status == RUNNING else started.status
            started.query.forget()
            started.took_s = loop.time() - started.began
            started.task = None

    async def _scan(self, started: Started, now_ms: int) -> None:
        place = Position(started.end_ms + 1, 0)
        more = True
        while more:
            read = partial(_page, started=started, before=place, now_ms=now_ms)
            page, is_last = await self._journal.read(read)
            started.scanned += len(page)
            started.scanned_bytes += sum(event_bytes(row["message"]) for _, _, row in page)
            more = await asyncio.to_thread(started.query.add, _rows(page, started)) and not is_last
            if self._size() > MAX_BYTES:
                self._forget()
                if self._size() > MAX_BYTES:
                    raise TooMuch(f"all queries together have to keep more than {MAX_BYTES} bytes")
            if page:
                last = page[-1][2]
                place = Position(last["timestamp_ms"], last["id"])


def _tell(error: BaseException) -> None:
    """The caller sees a failed query, the platform's log why."""
    log.error("a query of log events failed", exc_info=error)


Found = tuple[Group, str, Row]


def _page(tx: Tx, started: Started, before: Position, now_ms: int) -> tuple[list[Found], bool]:
    """Events, and whether there are no others behind them."""
    groups = [group for name in started.groups if (group := store.group(tx, started.scope, name)) is not None]
    found: list[Found] = []
    size = 0
    for one in events_of(tx, groups, Position(started.start_ms, -1), before, now_ms):
        found.append(one)
        size += len(one[2]["message"])
        if len(found) == PAGE_EVENTS or size >= PAGE_BYTES:
            return found, False
    return found, True


def _results(query: Query) -> tuple[list[Result], int]:
    """And how many bytes they take, about."""
    found = query.results()
    return found, sum(len(cell["value"]) + _CELL_BYTES for row in found for cell in row)


def _rows(page: Sequence[Found], started: Started) -> Iterator[dict[str, Value]]:
    for group, stream, row in page:
        yield fields_of(group, stream, row, discover=started.query.discovers)


def fields_of(group: Group, stream: str, row: Row, *, discover: bool) -> dict[str, Value]:
    """An event's fields; those of its message where they are asked for."""
    message = row["message"]
    found = discovered(group.name, message) if discover else {}
    return found | {
        "@timestamp": Moment(row["timestamp_ms"]),
        "@message": message,
        "@logStream": stream,
        "@log": f"{group.scope.account_id}:{group.name}",
        "@ingestionTime": Moment(row["ingested_ms"]),
        "@ptr": Pointer(group.name, stream, Position(row["timestamp_ms"], row["id"])),
    }


class Pointer(NamedTuple):
    """@ptr: where GetLogRecord finds an event. Written out for the rows that are shown only."""

    group: str
    stream: str
    place: Position

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"{self.place.text()}{self.group}:{self.stream}".encode()).decode()


def pointed(text: str) -> Pointer | None:
    """What a pointer's text means; None for other texts."""
    try:
        decoded = base64.b64decode(text, altchars=b"-_", validate=True).decode()
    except ValueError:
        return None
    digits, (group, colon, stream) = decoded[:56], decoded[56:].partition(":")
    if not colon or len(digits) != 56 or not (digits.isascii() and digits.isdigit()):
        return None
    return Pointer(group, stream, Position.parse(digits))


def percentages(rows: Iterable[dict[str, Any]]) -> list[tuple[str, int]]:
    """How many of a hundred events have each field, the most frequent first."""
    counts: dict[str, int] = {}
    total = 0
    for row in rows:
        total += 1
        for name in row:
            counts[name] = counts.get(name, 0) + 1
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(name, count * 100 // total) for name, count in ranked]
