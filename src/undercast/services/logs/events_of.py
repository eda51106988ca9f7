"""The events of several groups in one order, newest first.

AWS: CloudWatch Logs API Reference, StartQuery.
"""

import heapq
from collections.abc import Iterator, Sequence

from undercast.services.logs import store
from undercast.services.logs.models import Group, Position
from undercast.store.database import Row, Tx


def events_of(
    tx: Tx, groups: Sequence[Group], after: Position, before: Position, now_ms: int
) -> Iterator[tuple[Group, str, Row]]:
    """(group, stream, row) strictly between two positions, but for what has expired."""
    sources = [
        _of_stream(tx, group, (stream, key), max(after, Position(group.oldest_ms(now_ms), 0)), before)
        for group in groups
        for stream, key in store.stream_keys(tx, group.scope, group.name)
    ]
    return heapq.merge(*sources, key=lambda one: (one[2]["timestamp_ms"], one[2]["id"]), reverse=True)


def _of_stream(
    tx: Tx, group: Group, stream: tuple[str, int], after: Position, before: Position
) -> Iterator[tuple[Group, str, Row]]:
    for row in store.events(tx, stream[1], after, before, newest_first=True):
        yield group, stream[0], row
