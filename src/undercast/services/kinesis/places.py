"""Where a reading begins: the types of shard iterators and of starting positions.

AWS: Kinesis API Reference, GetShardIterator, StartingPosition.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from undercast.services.kinesis import store
from undercast.services.kinesis.errors import invalid
from undercast.services.kinesis.models import Stream, read_sequence, shard_name
from undercast.services.sharded_log import end_of
from undercast.store.database import Row, Tx


class Start(NamedTuple):
    """What a request says."""

    kind: str
    sequence: str | None
    timestamp: datetime | None


def of_iterator(params: Mapping[str, Any]) -> Start:
    """Of GetShardIterator."""
    return Start(params["ShardIteratorType"], params.get("StartingSequenceNumber"), params.get("Timestamp"))


def of_position(params: Mapping[str, Any]) -> Start:
    """Of SubscribeToShard."""
    return Start(params["Type"], params.get("SequenceNumber"), params.get("Timestamp"))


def place(tx: Tx, stream: Stream, shard: Row, start: Start, now: float) -> int:
    """The place of the first record to be read. Raises InvalidArgumentException."""
    by_number = start.kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
    if by_number != (start.sequence is not None) and start.kind != "AT_TIMESTAMP":
        raise invalid(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) "
            f"TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {start.kind} and "
            f"{'also a' if start.sequence is not None else 'no'} StartingSequenceNumber."
        )
    if start.kind == "TRIM_HORIZON":
        return int(shard["first"]) + 1
    if start.kind == "LATEST":
        return end_of(shard, stream.newest)
    if start.kind == "AT_TIMESTAMP":
        return _at_time(tx, stream, shard, start.timestamp, now)
    at = _numbered(stream, shard, str(start.sequence))
    return at if start.kind == "AT_SEQUENCE_NUMBER" else at + 1


def _at_time(tx: Tx, stream: Stream, shard: Row, timestamp: datetime | None, now: float) -> int:
    if timestamp is None:
        raise invalid(
            "Must specify timestamp parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp "
            "parameter."
        )
    moment = timestamp.timestamp()
    if moment > now:
        raise invalid(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: "
            f"{int(moment * 1000)}, currentTimestampInMillis: {int(now * 1000)}"
        )
    found = store.LOG.at_time(tx, shard["id"], max(moment, stream.since(now)))
    return end_of(shard, stream.newest) if found is None else found


def _numbered(stream: Stream, shard: Row, text: str) -> int:
    found, name = read_sequence(text), shard_name(shard["number"])
    if found is None or found.stream_id != stream.id:
        raise invalid(
            f"StartingSequenceNumber {text} used in GetShardIterator on shard {name} in stream {stream.of.name} under "
            f"account {stream.of.scope.account_id} is invalid because it did not come from this stream."
        )
    if found.shard != shard["number"]:
        raise invalid(
            f"Invalid StartingSequenceNumber. It encodes {shard_name(found.shard)}, while it was used in a call to a "
            f"shard with {name}"
        )
    if not shard["first"] <= found.place < end_of(shard, stream.newest):
        raise invalid(
            f"StartingSequenceNumber {text} used in GetShardIterator on shard {name} in stream {stream.of.name} under "
            f"account {stream.of.scope.account_id} is invalid."
        )
    return found.place
