"""The rows of streams, shards and consumers. Each function runs inside a transaction.

AWS: Kinesis API Reference, CreateStream, DescribeStream, RegisterStreamConsumer.
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.arn import Scope
from undercast.services.kinesis.errors import no_shard, no_stream, shard_is_gone
from undercast.services.kinesis.models import (
    Consumer,
    OpenStream,
    Stream,
    StreamName,
    consumer_of,
    is_consumer,
    named_by_arn,
    padded,
    shard_name,
    shard_number,
    stream_of,
)
from undercast.services.kinesis.shard_changes import ShardChanges
from undercast.services.sharded_log import ShardedLog
from undercast.store.database import Row, Tx

LOG = ShardedLog("kinesis")
_CHANGEABLE = frozenset(
    {"mode", "retention_hours", "max_record_kib", "distribution", "key_id", "metrics", "tags", "policy"}
)


def find(tx: Tx, of: StreamName) -> Stream | None:
    """A stream, or None."""
    row = tx.one("SELECT * FROM kinesis_stream WHERE account_id = ? AND region = ? AND name = ?", (*of.scope, of.name))
    return None if row is None else stream_of(row)


def policy(tx: Tx, arn: str) -> str:
    """Of a stream or a consumer; "" for none. Raises InvalidArgumentException for what is no ARN of either."""
    if is_consumer(arn):
        row = tx.one("SELECT policy FROM kinesis_consumer WHERE arn = ?", (arn,))
    else:
        of = named_by_arn(arn)
        query = "SELECT policy FROM kinesis_stream WHERE account_id = ? AND region = ? AND name = ?"
        row = tx.one(query, (*of.scope, of.name))
    return "" if row is None else str(row["policy"])


def existing(tx: Tx, of: StreamName) -> Stream:
    """Raises ResourceNotFoundException."""
    stream = find(tx, of)
    if stream is None:
        raise no_stream(of.scope, of.name)
    return stream


def opened(tx: Tx, of: StreamName) -> OpenStream | None:
    """A stream with its open shards, or None."""
    stream = find(tx, of)
    return None if stream is None else OpenStream(stream, tuple(open_shards(tx, stream.id)))


def listed(tx: Tx, scope: Scope, after: str, limit: int) -> list[Stream]:
    """By name, behind one."""
    rows = tx.all(
        "SELECT * FROM kinesis_stream WHERE account_id = ? AND region = ? AND name > ? ORDER BY name LIMIT ?",
        (*scope, after, limit),
    )
    return [stream_of(row) for row in rows]


def add(tx: Tx, of: StreamName, given: Mapping[str, Any], now: float) -> Stream:
    """A new stream without shards."""
    tx.execute(
        "INSERT INTO kinesis_stream (account_id, region, name, created_at, mode, retention_hours, max_record_kib,"
        " distribution, key_id, metrics, tags, policy, newest) VALUES (?, ?, ?, ?, ?, 24, ?, ?, '', '[]', ?, '', 0)",
        (
            *of.scope,
            of.name,
            now,
            given["mode"],
            given["max_record_kib"],
            given["distribution"],
            json.dumps(given["tags"]),
        ),
    )
    return existing(tx, of)


def change(tx: Tx, stream: Stream, **values: str | int) -> None:
    """Set columns."""
    assert values.keys() <= _CHANGEABLE
    columns = ", ".join(f"{name} = ?" for name in values)
    tx.execute(f"UPDATE kinesis_stream SET {columns} WHERE id = ?", (*values.values(), stream.id))


def newest(tx: Tx, stream_id: int) -> int:
    """The last sequence number that it has given."""
    row = tx.one("SELECT newest FROM kinesis_stream WHERE id = ?", (stream_id,))
    assert row is not None
    return int(row["newest"])


def take_places(tx: Tx, stream_id: int, count: int) -> int:
    """The first of so many new sequence numbers."""
    row = tx.one("UPDATE kinesis_stream SET newest = newest + ? WHERE id = ? RETURNING newest", (count, stream_id))
    assert row is not None
    return int(row["newest"]) - count + 1


# Shards


def shard_changes(tx: Tx, stream_id: int) -> ShardChanges:
    """None as yet; the next number is behind all that the stream has."""
    row = tx.one("SELECT COALESCE(MAX(number), -1) + 1 AS next FROM kinesis_shard WHERE stream_id = ?", (stream_id,))
    assert row is not None
    return ShardChanges(int(row["next"]))


def change_shards(tx: Tx, stream_id: int, changes: ShardChanges, now: float) -> None:
    """Write them: the sequence numbers that openings and closings take are no record's."""
    first = take_places(tx, stream_id, changes.places)
    closings = {number: first + place for number, place in changes.closed.items()}
    rows = []
    for shard, origin, place in changes.opened:
        last = closings.pop(shard.number, None)
        keys = (padded(shard.keys.low), padded(shard.keys.high))
        closed_at = None if last is None else now
        rows.append((stream_id, shard.number, *origin, *keys, now, closed_at, first + place, last))
    tx.insert_many(
        "UPDATE kinesis_shard SET closed_at = ?, last = ? WHERE stream_id = ? AND number = ?",
        [(now, last, stream_id, number) for number, last in closings.items()],
    )
    tx.insert_many(
        "INSERT INTO kinesis_shard (stream_id, number, parent, adjacent, low, high, created_at, closed_at, first, last)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def open_shards(tx: Tx, stream_id: int) -> list[Row]:
    """By their hash keys, the lowest first."""
    return tx.all("SELECT * FROM kinesis_shard WHERE stream_id = ? AND closed_at IS NULL ORDER BY low", (stream_id,))


def count_open(tx: Tx, stream_id: int) -> int:
    """How many are open."""
    row = tx.one("SELECT COUNT(*) AS number FROM kinesis_shard WHERE stream_id = ? AND closed_at IS NULL", (stream_id,))
    return 0 if row is None else int(row["number"])


def shard(tx: Tx, stream: Stream, name: str) -> Row:
    """A shard by its name. Raises ResourceNotFoundException."""
    number = shard_number(name)
    if number is None:
        raise no_shard(stream.of.scope, stream.of.name, name)
    row = tx.one("SELECT * FROM kinesis_shard WHERE stream_id = ? AND number = ?", (stream.id, number))
    if row is None:
        raise shard_is_gone(stream.of.scope, stream.of.name, shard_name(number))
    return row


def shard_by_id(tx: Tx, stream: Stream, shard_id: int) -> Row:
    """The shard of an iterator. Raises ResourceNotFoundException when it has expired."""
    row = tx.one("SELECT * FROM kinesis_shard WHERE stream_id = ? AND id = ?", (stream.id, shard_id))
    if row is None:
        raise no_shard(stream.of.scope, stream.of.name, "of the iterator")
    return row


def children(tx: Tx, shard: Row) -> list[Row]:
    """The shards that follow one."""
    return tx.all(
        "SELECT * FROM kinesis_shard WHERE stream_id = ?1 AND (parent = ?2 OR adjacent = ?2) ORDER BY number",
        (shard["stream_id"], shard["number"]),
    )


# Consumers


def consumers(tx: Tx, stream_id: int) -> list[Consumer]:
    """Those of a stream, by name."""
    rows = tx.all("SELECT * FROM kinesis_consumer WHERE stream_id = ? ORDER BY name", (stream_id,))
    return [consumer_of(row) for row in rows]


def consumer_by_arn(tx: Tx, arn: str) -> Consumer | None:
    """A consumer, or None."""
    row = tx.one("SELECT * FROM kinesis_consumer WHERE arn = ?", (arn,))
    return None if row is None else consumer_of(row)


def add_consumer(tx: Tx, stream: Stream, name: str, tags: Mapping[str, str], now: float) -> Consumer:
    """A new consumer. Its ARN ends in the second of its creation."""
    arn = f"{stream.of.arn}/consumer/{name}:{int(now)}"
    tx.execute(
        "INSERT INTO kinesis_consumer (stream_id, name, arn, created_at, tags, policy) VALUES (?, ?, ?, ?, ?, '')",
        (stream.id, name, arn, now, json.dumps(dict(tags))),
    )
    found = consumer_by_arn(tx, arn)
    assert found is not None
    return found
