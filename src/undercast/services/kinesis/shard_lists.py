"""Pages of a stream's shards, the oldest first: no more rows are read than are shown, for a stream may have 10,000 open
ones, and three times as many behind a change of their number.

AWS: Kinesis API Reference, ListShards, ShardFilter, DescribeStream.
"""

from typing import NamedTuple

from undercast.core.service import Params
from undercast.services.kinesis.errors import invalid
from undercast.services.kinesis.models import Stream, shard_number
from undercast.store.database import Row, Tx

_AT_A_TIME = frozenset({"AT_TIMESTAMP", "FROM_TIMESTAMP"})
_FIRST = "parent IS NULL AND adjacent IS NULL"


class Part(NamedTuple):
    """So many shards behind one."""

    after: str | None
    limit: int


def page(tx: Tx, stream: Stream, chosen: Params, part: Part, now: float) -> list[Row]:
    """Of those that can still hold something, by a ShardFilter whose Timestamp is in seconds.

    Raises InvalidArgumentException.
    """
    kind: str = chosen.get("Type", "FROM_TRIM_HORIZON")
    number, at = _number(part.after), _moment(kind, chosen, stream.since(now))
    where, values = "(closed_at IS NULL OR closed_at >= ?)", [at]
    if kind == "AFTER_SHARD_ID":
        if "ShardId" not in chosen:
            raise invalid("ShardId must be specified for a ShardFilter of type AFTER_SHARD_ID.")
        number = max(number, _number(chosen["ShardId"]))
    elif kind == "AT_LATEST":
        where, values = "closed_at IS NULL", []
    elif kind in ("AT_TIMESTAMP", "AT_TRIM_HORIZON"):
        begun = f"{where} AND created_at <= ?", [at, at]
        # A stream that is younger than its retention had its first shards open at the horizon.
        where, values = begun if _rows(tx, stream, begun, -1, 1) else (f"{where} AND {_FIRST}", values)
    return _rows(tx, stream, (where, values), number, part.limit)


def _rows(tx: Tx, stream: Stream, condition: tuple[str, list[float]], after: int, limit: int) -> list[Row]:
    where, values = condition
    return tx.all(
        f"SELECT * FROM kinesis_shard WHERE stream_id = ? AND number > ? AND {where} ORDER BY number LIMIT ?",
        (stream.id, after, *values, limit),
    )


def _moment(kind: str, chosen: Params, horizon: float) -> float:
    if kind not in _AT_A_TIME:
        return horizon
    if "Timestamp" not in chosen:
        raise invalid(f"Timestamp must be specified for a ShardFilter of type {kind}.")
    return max(horizon, float(chosen["Timestamp"]))


def _number(name: str | None) -> int:
    number = -1 if name is None else shard_number(name)
    if number is None:
        raise invalid(f"ExclusiveStartShardId {name} is not the id of a shard.")
    return number
