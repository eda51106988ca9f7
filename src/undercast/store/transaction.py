"""One transaction, as the functions see it that run in it.

Synchronous: it reads, decides and writes; it cannot await, call a service or touch a body. Dead once it is over.
SQLite: https://sqlite.org/lang_transaction.html
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

SqlValue = str | int | float | bytes | None
Row = sqlite3.Row

_VALUES = re.compile(r"VALUES (\([?, ]+\))$")
_ROWS_AT_ONCE = (128, 16)
"""SQLite takes 32,766 parameters."""


class Tx:
    """Runs SQL inside one transaction."""

    __slots__ = ("_connection", "_cursors", "callbacks")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = connection
        self._cursors: list[sqlite3.Cursor] = []
        self.callbacks: list[Callable[[], None]] = []

    def _query(self, sql: str, params: Sequence[SqlValue]) -> sqlite3.Cursor:
        if self._connection is None:
            raise RuntimeError("the transaction is over")
        return self._connection.execute(sql, params)

    def execute(self, sql: str, params: Sequence[SqlValue] = ()) -> int:
        """Run one statement; the number of rows that it changed."""
        return self._query(sql, params).rowcount

    def one(self, sql: str, params: Sequence[SqlValue] = ()) -> Row | None:
        """The first row, or None. `row["name"]` gives a column."""
        cursor = self._query(sql, params)
        row: Row | None = cursor.fetchone()
        cursor.close()  # an unfinished statement would keep its snapshot, and the WAL, from being recycled
        return row

    def all(self, sql: str, params: Sequence[SqlValue] = ()) -> list[Row]:
        """Every row."""
        return self._query(sql, params).fetchall()

    def each(self, sql: str, params: Sequence[SqlValue] = ()) -> Iterator[Row]:
        """The rows one by one, in flat memory, until the transaction ends."""
        cursor = self._query(sql, params)
        self._cursors.append(cursor)
        return cursor

    def insert_many(self, sql: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        """Run one statement for each tuple of parameters.

        An INSERT that ends in its VALUES takes many rows at once: each statement gives the interpreter's lock away and
        waits for it again, which in the store thread cost the event loop more than the rows themselves.
        """
        if self._connection is None:
            raise RuntimeError("the transaction is over")
        left = list(rows)
        if values := _VALUES.search(sql):
            for count in _ROWS_AT_ONCE:
                text = sql + f", {values[1]}" * (count - 1)
                while len(left) >= count:
                    self._connection.execute(text, tuple(chain.from_iterable(left[:count])))
                    del left[:count]
        self._connection.executemany(sql, left)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that is undone by itself, with what it wanted after the commit, where it raises."""
        callbacks = len(self.callbacks)
        self.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            del self.callbacks[callbacks:]
            self.execute("ROLLBACK TO part")
            raise
        finally:
            self.execute("RELEASE part")

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Run on the event loop once this has committed, and only then: cache updates, wake-ups."""
        self.callbacks.append(callback)

    def end(self) -> None:
        """Called by the database: nothing can be run in this transaction any more."""
        for cursor in self._cursors:
            cursor.close()
        self._connection = None
