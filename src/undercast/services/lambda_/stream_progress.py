"""How far a mapping has read its stream: for each shard, and for each of the batches that it processes at once.

Committed after each batch; what was read behind it is read again after a kill: at least once. A lane is one of
ParallelizationFactor: its records are those whose keys fall to it. Rows of an older factor stay, so that what was done
under it is known under the new one.
AWS: Lambda Developer Guide, "Polling and batching streams", "Parallelization factor".
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.store.database import Tx

_TABLE = "lambda_event_source_progress"


class Lane(NamedTuple):
    """One lane of a shard."""

    shard_id: str
    factor: int
    number: int


START = Lane("", 0, 0)
"""Its progress says where the reading of every shard begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Of one lane."""

    sequence: str = ""
    """Of the last record that is done; "" for none."""
    since: float = 0.0
    """Where none is done yet: only what came at this moment or later is read."""
    ended: bool = False
    """Whether the shard is closed, and all of it done."""
    window: float = 0.0
    """When the tumbling window that is open began; 0 for none."""
    state: str = ""
    """The state of that window, as JSON; "" for none."""


def load(tx: Tx, mapping_id: str) -> dict[Lane, Progress]:
    """Of all lanes that have begun."""
    rows = tx.all(f"SELECT * FROM {_TABLE} WHERE id = ?", (mapping_id,))
    return {
        Lane(row["shard_id"], row["factor"], row["lane"]): Progress(
            sequence=row["sequence"],
            since=row["since"],
            ended=bool(row["ended"]),
            window=row["window_start"],
            state=row["state"],
        )
        for row in rows
    }


def put(tx: Tx, mapping: EventSourceMapping, lanes: Mapping[Lane, Progress]) -> None:
    """Move them. Nothing for a mapping that is gone."""
    for lane, progress in lanes.items():
        tx.execute(
            f"INSERT INTO {_TABLE} (id, shard_id, factor, lane, sequence, since, ended, window_start, state)"
            " SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM lambda_event_source_mapping WHERE id = ?"
            " ON CONFLICT (id, shard_id, factor, lane) DO UPDATE SET sequence = excluded.sequence,"
            " since = excluded.since, ended = excluded.ended, window_start = excluded.window_start,"
            " state = excluded.state",
            (
                *lane,
                progress.sequence,
                progress.since,
                int(progress.ended),
                progress.window,
                progress.state,
                mapping.id,
            ),
        )


def forget(tx: Tx, mapping: EventSourceMapping, shard_ids: Collection[str]) -> None:
    """Shards that have expired."""
    for shard_id in shard_ids:
        tx.execute(f"DELETE FROM {_TABLE} WHERE id = ? AND shard_id = ?", (mapping.id, shard_id))
