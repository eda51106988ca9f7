"""How far a consumer has read its stream: for each shard, and for each of the batches that it processes at once.

Committed after each batch, and now and then over records that nobody wants; what was read behind it is read again after
a kill: at least once. A lane is one of
ParallelizationFactor: its records are those whose keys fall to it. Rows of an older factor stay, so that what was done
under it is known under the new one.
AWS: Lambda Developer Guide, "Polling and batching streams", "Parallelization factor".
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from undercast.core.record import record
from undercast.store.database import Tx


class Lane(NamedTuple):
    """One lane of a shard."""

    shard_id: str
    factor: int
    number: int


START = Lane("", 0, 0)
"""Its progress says where the reading of every shard begins."""


@record
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


@record
class Table:
    """Where one consumer keeps its progress: rows of `table`, as long as its own row of `owner` is there."""

    table: str
    owner: str
    id: str

    def load(self, tx: Tx) -> dict[Lane, Progress]:
        """Of all lanes that have begun."""
        rows = tx.all(f"SELECT * FROM {self.table} WHERE id = ?", (self.id,))
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

    def put(self, tx: Tx, lanes: Mapping[Lane, Progress]) -> None:
        """Move them. Nothing for a consumer that is gone."""
        for lane, progress in lanes.items():
            tx.execute(
                f"INSERT INTO {self.table} (id, shard_id, factor, lane, sequence, since, ended, window_start, state)"
                f" SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM {self.owner} WHERE id = ?"
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
                    self.id,
                ),
            )

    def forget(self, tx: Tx, shard_ids: Collection[str]) -> None:
        """Shards that have expired."""
        for shard_id in shard_ids:
            tx.execute(f"DELETE FROM {self.table} WHERE id = ? AND shard_id = ?", (self.id, shard_id))
