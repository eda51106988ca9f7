"""Log events: put, get, filter.

AWS: CloudWatch Logs API Reference, PutLogEvents, GetLogEvents, FilterLogEvents.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.logs import store
from undercast.services.logs.errors import invalid
from undercast.services.logs.followers import StreamName
from undercast.services.logs.instance import Logs, existing_group, existing_stream, offering_group
from undercast.services.logs.models import DAY_MS, Group, Position, event_bytes, group_name, sequence_token
from undercast.services.logs.pattern import compile_pattern
from undercast.store.database import Row, Tx

MAX_BATCH_BYTES = 1_048_576
MAX_PAGE_BYTES = 1_048_576
MAX_PAGE_EVENTS = 10_000
MAX_SCANNED = 50_000
"""Ours: events that one FilterLogEvents call looks at before it answers with a token, as AWS may too."""
OLDEST_MS = 14 * DAY_MS
NEWEST_MS = 2 * 3_600_000
FIRST = Position(0, 0)
LAST = Position((1 << 63) - 1, (1 << 63) - 1)


@operation("PutLogEvents")
async def put_log_events(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Append events. Those too old, too new or expired are left out and told; sequence tokens are ignored.

    Unlike the lines of functions they are in the file before the answer: a caller was told that they are accepted.
    """
    name = StreamName(ctx.scope, params["logGroupName"], params["logStreamName"])
    given = [(event["timestamp"], event["message"]) for event in params["logEvents"]]
    _check_batch(given)

    def find(tx: Tx) -> tuple[int, list[tuple[int, str]], dict[str, int]]:
        group = existing_group(tx, ctx.scope, name.group)
        key = existing_stream(tx, ctx.scope, name.group, name.stream).key
        events, rejected = _accepted(given, group, logs.now_ms())
        if events and events[-1][0] - events[0][0] > DAY_MS:
            raise invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
        tx.after_commit(lambda: logs.intake.learn(name, key))
        return key, events, rejected

    while True:
        # A write that changes nothing: the stream is learned and forgotten in the order of the commits.
        key, events, rejected = await logs.journal.write(find)
        await logs.intake.room()
        await logs.subscriptions.room()
        if logs.intake.known(name) == key:
            break  # else it was deleted while this waited for room, and may have been made anew
    logs.intake.append(name, key, events, ctx.cause)
    await logs.journal.flush()
    await logs.metric_filters.settled()
    await logs.subscriptions.settled()
    result: dict[str, Any] = {"nextSequenceToken": sequence_token(key)}
    if rejected:
        result["rejectedLogEventsInfo"] = rejected
    return result


def _check_batch(events: list[tuple[int, str]]) -> None:
    size = sum(event_bytes(message) for _, message in events)
    if size > MAX_BATCH_BYTES:
        raise invalid(f"Upload too large: {size} bytes exceeds limit of {MAX_BATCH_BYTES}")
    if any(later[0] < earlier[0] for earlier, later in pairwise(events)):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")


def _accepted(events: list[tuple[int, str]], group: Group, now_ms: int) -> tuple[list[tuple[int, str]], dict[str, int]]:
    """The events that count, and which were rejected. They are in order, so each class is one end of the list."""
    expired = sum(timestamp < group.oldest_ms(now_ms) for timestamp, _ in events)
    too_old = sum(timestamp < now_ms - OLDEST_MS for timestamp, _ in events)
    too_new = sum(timestamp > now_ms + NEWEST_MS for timestamp, _ in events)
    rejected: dict[str, int] = {}
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    if too_new:
        rejected["tooNewLogEventStartIndex"] = len(events) - too_new
    return events[max(expired, too_old) : len(events) - too_new], rejected


@operation("GetLogEvents")
async def get_log_events(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A page of one stream, oldest event first; forward or backward from a token, else from the head or the end."""
    group = group_name(ctx.scope, params.get("logGroupName"), params.get("logGroupIdentifier"))
    limit = params.get("limit") or MAX_PAGE_EVENTS
    direction, token = _token(params.get("nextToken"))
    backward = direction == "b" if direction else not params.get("startFromHead")
    start = Position(params.get("startTime") or 0, 0)
    end = Position(params["endTime"], 0) if params.get("endTime") is not None else LAST

    def read(tx: Tx) -> list[Row]:
        found = offering_group(tx, ctx, group)
        stream = existing_stream(tx, ctx.scope, group, params["logStreamName"])
        after = max(start, Position(found.oldest_ms(logs.now_ms()), 0))
        before = end
        if token is not None:
            after, before = (after, min(before, token)) if backward else (max(after, token), before)
        return _page(store.events(tx, stream.key, after, before, newest_first=backward), limit)

    rows = await logs.journal.read(read)
    if backward:
        rows.reverse()
    first, last = _edges(rows, token, backward, start)
    return {
        "events": [
            {"timestamp": row["timestamp_ms"], "message": row["message"], "ingestionTime": row["ingested_ms"]}
            for row in rows
        ],
        "nextForwardToken": f"f/{last.text()}/s",
        "nextBackwardToken": f"b/{first.text()}/s",
    }


def _edges(rows: list[Row], token: Position | None, backward: bool, start: Position) -> tuple[Position, Position]:
    """Where the next pages begin. An empty page leads to itself, which is how callers see the end."""
    if rows:
        return _position(rows[0]), _position(rows[-1])
    if token is None:
        return start, start
    if backward:
        return token, Position(token.timestamp_ms, max(token.id - 1, 0))
    return Position(token.timestamp_ms, token.id + 1), token


@operation("FilterLogEvents")
async def filter_log_events(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Events of a group that match a pattern, over all or some of its streams, in the order of time."""
    name = group_name(ctx.scope, params.get("logGroupName"), params.get("logGroupIdentifier"))
    if params.get("logStreamNames") and params.get("logStreamNamePrefix"):
        raise invalid("logStreamNames and logStreamNamePrefix are mutually exclusive.")
    search = _Search(params, compile_pattern(params.get("filterPattern")))
    return await logs.journal.read(lambda tx: search.run(tx, offering_group(tx, ctx, name), logs.now_ms()))


class _Search:
    """One FilterLogEvents call."""

    def __init__(self, params: Params, matches: Callable[[str], bool]) -> None:
        self._names = frozenset(params.get("logStreamNames") or ())
        self._prefix = params.get("logStreamNamePrefix") or ""
        self._limit = params.get("limit") or MAX_PAGE_EVENTS
        self._matches = matches
        direction, self._token = _token(params.get("nextToken"))
        self._newest_first = direction == "b" if direction else params.get("startFromHead") is False
        self._start = Position(params.get("startTime") or 0, 0)
        end = params.get("endTime")
        self._end = LAST if end is None else Position(end + 1, 0)

    def run(self, tx: Tx, group: Group, now_ms: int) -> dict[str, Any]:
        """The page, with a token unless the search has reached its end."""
        events: list[dict[str, Any]] = []
        size = 0
        place: Position | None = None
        for scanned, (stream, row) in enumerate(self._rows(tx, group, now_ms)):
            message: str = row["message"]
            matches = self._matches(message)
            size += event_bytes(message) if matches else 0
            full = len(events) >= self._limit or (size > MAX_PAGE_BYTES and events) or scanned >= MAX_SCANNED
            if full and place is not None:
                direction = "b" if self._newest_first else "f"
                return {"events": events, "searchedLogStreams": [], "nextToken": f"{direction}/{place.text()}/s"}
            if matches:
                events.append(_filtered(stream, row))
            place = _position(row)
        return {"events": events, "searchedLogStreams": []}

    def _rows(self, tx: Tx, group: Group, now_ms: int) -> Iterator[tuple[str, Row]]:
        after = max(self._start, Position(group.oldest_ms(now_ms), 0))
        before = self._end
        if self._token is not None:
            if self._newest_first:
                before = min(before, self._token)
            else:
                after = max(after, self._token)
        sources = [
            self._of_stream(tx, stream, key, after, before)
            for stream, key in store.stream_keys(tx, group.scope, group.name)
            if (not self._names or stream in self._names) and stream.startswith(self._prefix)
        ]
        return heapq.merge(*sources, key=lambda pair: _position(pair[1]), reverse=self._newest_first)

    def _of_stream(self, tx: Tx, stream: str, key: int, after: Position, before: Position) -> Iterator[tuple[str, Row]]:
        for row in store.events(tx, key, after, before, newest_first=self._newest_first):
            yield stream, row


def _filtered(stream: str, row: Row) -> dict[str, Any]:
    return {
        "logStreamName": stream,
        "timestamp": row["timestamp_ms"],
        "message": row["message"],
        "ingestionTime": row["ingested_ms"],
        "eventId": _position(row).text(),
    }


def _page(rows: Iterator[Row], limit: int) -> list[Row]:
    """So many events, or as many as fit in 1 MB, but at least one."""
    found: list[Row] = []
    size = 0
    for row in rows:
        size += event_bytes(row["message"])
        if found and (len(found) >= limit or size > MAX_PAGE_BYTES):
            break
        found.append(row)
    return found


def _position(row: Row) -> Position:
    return Position(row["timestamp_ms"], row["id"])


def _token(text: str | None) -> tuple[str, Position | None]:
    if text is None:
        return "", None
    direction, _, rest = text.partition("/")
    if direction not in ("f", "b") or not rest.endswith("/s"):
        raise invalid("The specified nextToken is invalid.")
    return direction, Position.parse(rest.removesuffix("/s"))
