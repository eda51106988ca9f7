"""How far a mapping has read its stream: the shard, and the last sequence number that is done.

Committed after each batch; what was read behind it is read again after a kill: at least once.
AWS: Lambda Developer Guide, "Polling and batching streams".
"""

from typing import NamedTuple

from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.store.database import Tx

_TABLE = "lambda_event_source_position"


class Position(NamedTuple):
    """`sequence` "" is the begin of the shard, `shard_id` "" that of the stream."""

    shard_id: str = ""
    sequence: str = ""


def find(tx: Tx, mapping: EventSourceMapping) -> Position:
    """Where to go on."""
    row = tx.one(f"SELECT shard_id, sequence FROM {_TABLE} WHERE id = ?", (mapping.id,))
    return Position() if row is None else Position(row["shard_id"], row["sequence"])


def put(tx: Tx, mapping: EventSourceMapping, position: Position) -> None:
    """Move it. Nothing for a mapping that is gone."""
    tx.execute(
        f"INSERT INTO {_TABLE} (id, shard_id, sequence) SELECT id, ?, ? FROM lambda_event_source_mapping WHERE id = ?"
        " ON CONFLICT (id) DO UPDATE SET shard_id = excluded.shard_id, sequence = excluded.sequence",
        (*position, mapping.id),
    )
