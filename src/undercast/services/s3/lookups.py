"""The version that a request names, read once: authorisation and the operation look at the same row.

Remembers the last answer until something is committed, and nothing while a long write is under way; a request that
comes in between costs a second read, no wrong answer. AWS: none.
"""

from undercast.services.s3 import store
from undercast.services.s3.models import ObjectVersion
from undercast.store.database import Database


class Lookups:
    """Reads outside transactions. Inside one, `store` is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: tuple[str, str, str | None] | None = None
        self._commits: int | None = None
        self._found: ObjectVersion | None = None

    def named(self, bucket: str, key: str, version_id: str | None) -> ObjectVersion | None:
        """The newest row of a key, or the version of this id; either may be a delete marker."""
        asked, commits = (bucket, key, version_id), self._database.commits
        if commits is None or commits != self._commits or asked != self._asked:
            if version_id is None:
                self._found = self._database.read_row(lambda tx: store.latest(tx, bucket, key))
            else:
                self._found = self._database.read_row(lambda tx: store.version(tx, bucket, key, version_id))
            self._asked, self._commits = asked, commits
        return self._found
