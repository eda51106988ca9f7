"""The version that a request names, read once: authorisation and the operation look at the same row.

Remembers the last answer for as long as nothing in the store changes; a request that comes in between costs a second
read, no wrong answer. AWS: none.
"""

from undercast.services.s3 import store
from undercast.services.s3.models import ObjectVersion
from undercast.store.database import Database


class Lookups:
    """Reads outside transactions. Inside one, `store` is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: tuple[str, str, str | None] | None = None
        self._changes = -1
        self._found: ObjectVersion | None = None

    def named(self, bucket: str, key: str, version_id: str | None) -> ObjectVersion | None:
        """The newest row of a key, or the version of this id; either may be a delete marker."""
        asked, changes = (bucket, key, version_id), self._database.changes
        if asked != self._asked or changes != self._changes:
            if version_id is None:
                self._found = self._database.read_row(lambda tx: store.latest(tx, bucket, key))
            else:
                self._found = self._database.read_row(lambda tx: store.version(tx, bucket, key, version_id))
            self._asked, self._changes = asked, changes
        return self._found
