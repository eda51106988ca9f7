"""The streams of DynamoDB's tables: opened, written and closed by DynamoDB, read by DynamoDB Streams.

Rows only. A record is written in the transaction of its change. Of a stream one shard is open; it is closed, and its
child begins, after four hours or when it is full, so that readers meet parents and children as on AWS.
AWS: DynamoDB Developer Guide, "Change data capture for DynamoDB Streams".
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from undercast.core.arn import Scope
from undercast.core.record import record
from undercast.services import sharded_log
from undercast.store.database import Row, Tx

RETENTION_S = 24 * 3600.0
SHARD_LIFE_S = 4 * 3600.0
SHARD_RECORDS = 100_000
"""Sequence numbers that a shard takes."""
_FIRST_NUMBER = 10**20
"""Sequence numbers have 21 digits, as AWS's."""
LOG = sharded_log.ShardedLog("dynamodbstreams")


@record
class Change:
    """What a record says. `images` is JSON: Keys, and OldImage and NewImage as the view type has them."""

    event_id: str
    event_name: str
    by_expiry: bool
    size: int
    images: str
    at: float


def shown_sequence(sequence: int) -> str:
    """A SequenceNumber."""
    return str(_FIRST_NUMBER + sequence)


def read_sequence(text: str) -> int:
    """The other way round. Raises ValueError."""
    return int(text) - _FIRST_NUMBER


def open_stream(tx: Tx, scope: Scope, table: str, view: tuple[str, Sequence[Mapping[str, str]]], now: float) -> Row:
    """A new stream of a table with its first shard; `view` is its view type and the table's key schema."""
    while True:
        label = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        arn = f"arn:aws:dynamodb:{scope.region}:{scope.account_id}:table/{table}/stream/{label}"
        if find(tx, arn) is None:
            break
        now += 0.001
    tx.execute(
        "INSERT INTO dynamodbstreams_stream (account_id, region, table_name, label, arn, view_type, key_schema,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*scope, table, label, arn, view[0], json.dumps(list(view[1])), now),
    )
    stream = find(tx, arn)
    assert stream is not None
    _add_shard(tx, stream["id"], None, now)
    return stream


def find(tx: Tx, arn: str) -> Row | None:
    """A stream's row."""
    return tx.one("SELECT * FROM dynamodbstreams_stream WHERE arn = ?", (arn,))


def policy(tx: Tx, arn: str) -> Mapping[str, Any] | None:
    """The stream's own policy, parsed; None without one, or without the stream."""
    row = tx.one("SELECT policy FROM dynamodbstreams_stream WHERE arn = ?", (arn,))
    if row is None or not row["policy"]:
        return None
    found: dict[str, Any] = json.loads(row["policy"])
    return found


def set_policy(tx: Tx, arn: str, policy: str, revision: str) -> None:
    """Replace it; "" for none."""
    tx.execute(
        "UPDATE dynamodbstreams_stream SET policy = ?, policy_revision = ? WHERE arn = ?", (policy, revision, arn)
    )


def close_stream(tx: Tx, stream_id: int, now: float) -> None:
    """Nothing is written any more; what there is can be read for 24 hours."""
    tx.execute("UPDATE dynamodbstreams_stream SET disabled_at = ? WHERE id = ?", (now, stream_id))
    tx.execute(
        "UPDATE dynamodbstreams_shard SET closed_at = ?, last = ? WHERE stream_id = ? AND closed_at IS NULL",
        (now, _newest(tx), stream_id),
    )


def append(tx: Tx, stream_id: int, change: Change) -> None:
    """One record, at the end of the open shard."""
    tx.execute(
        "INSERT INTO dynamodbstreams_record (shard_id, at, event_id, event_name, by_expiry, size, images)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            _open_shard(tx, stream_id, change.at),
            change.at,
            change.event_id,
            change.event_name,
            change.by_expiry,
            change.size,
            change.images,
        ),
    )


def _open_shard(tx: Tx, stream_id: int, now: float) -> int:
    row = tx.one(
        "SELECT id, created_at, first FROM dynamodbstreams_shard WHERE stream_id = ? ORDER BY id DESC LIMIT 1",
        (stream_id,),
    )
    assert row is not None
    if now - row["created_at"] < SHARD_LIFE_S and _newest(tx) - row["first"] < SHARD_RECORDS:
        return int(row["id"])
    LOG.close(tx, row["id"], _newest(tx), now)
    return _add_shard(tx, stream_id, row["id"], now)


def _add_shard(tx: Tx, stream_id: int, parent_id: int | None, now: float) -> int:
    tx.execute(
        "INSERT INTO dynamodbstreams_shard (stream_id, parent_id, created_at, first) VALUES (?, ?, ?, ?)",
        (stream_id, parent_id, now, _newest(tx) + 1),
    )
    row = tx.one("SELECT MAX(id) AS id FROM dynamodbstreams_shard WHERE stream_id = ?", (stream_id,))
    assert row is not None
    return int(row["id"])


def _newest(tx: Tx) -> int:
    """The last sequence number of any stream."""
    row = tx.one("SELECT MAX(sequence) AS newest FROM dynamodbstreams_record")
    return (row["newest"] or 0) if row is not None else 0


def shards(tx: Tx, stream_id: int, after_id: int, now: float) -> list[Row]:
    """Those that can still hold something, in order."""
    return tx.all(
        "SELECT * FROM dynamodbstreams_shard WHERE stream_id = ? AND id > ?"
        " AND (closed_at IS NULL OR closed_at >= ?) ORDER BY id",
        (stream_id, after_id, now - RETENTION_S),
    )


def trim(tx: Tx, now: float, limit: int) -> bool:
    """Remove what is over 24 hours old, but for the newest record; whether to go on, after so many records."""
    before = now - RETENTION_S
    oldest = tx.all("SELECT sequence, at FROM dynamodbstreams_record ORDER BY sequence LIMIT ?", (limit + 1,))
    due = [row["sequence"] for row in oldest[:-1] if row["at"] < before]
    if due:
        tx.execute("DELETE FROM dynamodbstreams_record WHERE sequence <= ? AND at < ?", (due[-1], before))
    if len(due) == limit:
        return True
    tx.execute(
        "DELETE FROM dynamodbstreams_shard WHERE closed_at < ? AND NOT EXISTS"
        " (SELECT 1 FROM dynamodbstreams_record WHERE shard_id = dynamodbstreams_shard.id)",
        (before,),
    )
    tx.execute(
        "DELETE FROM dynamodbstreams_stream WHERE disabled_at < ? AND NOT EXISTS"
        " (SELECT 1 FROM dynamodbstreams_shard WHERE stream_id = dynamodbstreams_stream.id)",
        (before,),
    )
    return False


def end_of(tx: Tx, shard: Row) -> int:
    """The sequence number behind the shard's last record."""
    return sharded_log.end_of(shard, _newest(tx))
