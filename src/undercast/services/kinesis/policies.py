"""The resource-based policies of streams and consumers, as they were read last: every request asks for one.

In memory only. Each transaction that changes or removes one says so (`changed`).
AWS: Kinesis API Reference, PutResourcePolicy.
"""

from undercast.services.kinesis import store
from undercast.store.database import Database, Tx

_MOST_KEPT = 4096


class Policies:
    """One per platform."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[str, str] = {}

    def find(self, arn: str) -> str:
        """Its text; "" for none, or where nothing has this ARN. Raises InvalidArgumentException for what is no ARN."""
        kept = self._kept.get(arn)
        if kept is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            kept = self._kept[arn] = self._database.read_row(lambda tx: store.policy(tx, arn))
        return kept

    def changed(self, tx: Tx) -> None:
        """Read anew what is asked for once this transaction has committed."""
        tx.after_commit(self.forget)

    def forget(self) -> None:
        """The rows may be others."""
        self._kept.clear()
