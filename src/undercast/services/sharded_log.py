"""Records in shards, as streams of tables and Kinesis keep them: read from a position on, found by time.

Rows only. A shard has an id, a first and, once it is closed, a last sequence number; a record has its shard's id, a
sequence number that grows, and the moment `at` which it came. What is older than `since` is not given any more.
AWS: DynamoDB Streams API Reference and Kinesis API Reference, GetShardIterator, GetRecords.
"""

from collections.abc import Iterator

from undercast.store.database import Row, Tx


class ShardedLog:
    """The log of one service: its tables are `<prefix>_shard` and `<prefix>_record`."""

    def __init__(self, prefix: str) -> None:
        self._shards, self._records = f"{prefix}_shard", f"{prefix}_record"

    def records(self, tx: Tx, shard_id: int, sequence: int, since: float) -> Iterator[Row]:
        """The records of a shard from a sequence number on."""
        return tx.each(
            f"SELECT * FROM {self._records} WHERE shard_id = ? AND sequence >= ? AND at >= ? ORDER BY sequence",
            (shard_id, sequence, since),
        )

    def at_time(self, tx: Tx, shard_id: int, moment: float) -> int | None:
        """The sequence number of the first record that came at this moment or later; None when there is none."""
        row = tx.one(
            f"SELECT sequence FROM {self._records} WHERE shard_id = ? AND at >= ? ORDER BY sequence LIMIT 1",
            (shard_id, moment),
        )
        return None if row is None else int(row["sequence"])

    def close(self, tx: Tx, shard_id: int, last: int, now: float) -> None:
        """Nothing is added to the shard any more."""
        tx.execute(f"UPDATE {self._shards} SET closed_at = ?, last = ? WHERE id = ?", (now, last, shard_id))

    def is_trimmed(self, tx: Tx, shard_id: int, sequence: int, since: float) -> bool:
        """Whether the record of this sequence number was removed, or is too old to be read."""
        row = tx.one(f"SELECT at FROM {self._records} WHERE shard_id = ? AND sequence = ?", (shard_id, sequence))
        if row is not None:
            return bool(row["at"] < since)
        earlier = tx.one(
            f"SELECT 1 FROM {self._records} WHERE shard_id = ? AND sequence < ? LIMIT 1", (shard_id, sequence)
        )
        newest = tx.one(f"SELECT MAX(sequence) AS newest FROM {self._records} WHERE shard_id = ?", (shard_id,))
        return earlier is None and newest is not None and (newest["newest"] or 0) > sequence


def end_of(shard: Row, newest: int) -> int:
    """The sequence number behind the shard's last record; `newest` is the last one that the log has given."""
    if shard["closed_at"] is not None:
        return int(shard["last"]) + 1
    return max(newest + 1, int(shard["first"]))
