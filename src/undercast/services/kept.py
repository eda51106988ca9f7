"""Rows that nearly every request looks up, as they were read last: they stay until this process changes them.

What a transaction has changed is read anew within it, and by everybody once it has committed; one that is rolled back
leaves nothing behind. In memory only.
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from undercast.store.database import Database, Tx

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST_KEPT = 4096


class Kept(Generic[K, V]):
    """`read` gives what has a name, None where nothing has. Who changes such rows says so (`changed`)."""

    def __init__(self, database: Database, read: Callable[[Tx, K], V | None]) -> None:
        self._database = database
        self._read = read
        self._kept: dict[K, V] = {}
        self._changer: Tx | None = None
        """The last transaction that has changed any, and which."""
        self._changes: set[K] = set()

    def find(self, key: K) -> V | None:
        """As it is committed. On the event loop only."""
        found = self._kept.get(key)
        if found is None:
            found = self._database.read_now(lambda tx: self._read(tx, key))
            if found is not None:
                self._keep(key, found)
        return found

    def within(self, tx: Tx, key: K) -> V | None:
        """As this transaction sees it, with what it has changed itself.

        What is read here is kept only behind a commit: a snapshot that is only read may be older than another's
        commit, and what is written may be rolled back.
        """
        if tx is self._changer and key in self._changes:
            return self._read(tx, key)
        found = self._kept.get(key)
        if found is None:
            found = self._read(tx, key)
            if found is not None:
                tx.after_commit(partial(self._keep, key, found))
        return found

    def changed(self, tx: Tx, key: K) -> None:
        """Read it again: in this transaction now, elsewhere once it has committed."""
        if tx is not self._changer:
            self._changer, self._changes = tx, set()
        self._changes.add(key)
        tx.after_commit(lambda: self._forget_one(key))

    def forget(self) -> None:
        """The rows may be others, all of them."""
        self._kept.clear()

    def _keep(self, key: K, value: V) -> None:
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = value

    def _forget_one(self, key: K) -> None:
        self._kept.pop(key, None)
