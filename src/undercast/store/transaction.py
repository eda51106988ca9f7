"""One transaction, as the functions see it that run in it.

Synchronous: it reads, decides and writes; it cannot await, call a service or touch a body. Dead once it is over.
SQLite: https://sqlite.org/lang_transaction.html
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain

SqlValue = str | int | float | bytes | None
Row = sqlite3.Row

_VALUES = re.compile(r"VALUES (\([?, ]+\))$")
_ROWS_AT_ONCE = (4, 16, 64, 256, 1024)
"""Few sizes, so that each is compiled once."""
_MOST_PARAMETERS = 32_766
"""What SQLite takes in one statement."""


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

        An INSERT that ends in its VALUES takes all rows at once: each statement gives the interpreter's lock away
        five times and waits for it again, which in the store thread costs the event loop more than the rows.
        """
        if self._connection is None:
            raise RuntimeError("the transaction is over")
        left = list(rows)
        values = _VALUES.search(sql)
        if values is None or len(left) < 2:
            self._connection.executemany(sql, left)
            return
        columns = values[1].count("?")
        sizes = [size for size in _ROWS_AT_ONCE if size * columns < _MOST_PARAMETERS]
        for begin in range(0, len(left), sizes[-1]):
            part = left[begin : begin + sizes[-1]]
            size = next(size for size in sizes if size >= len(part))
            given = [*chain.from_iterable(part), *(0,) * (columns * (size - len(part))), len(part)]
            self._connection.execute(_of_rows(sql[: values.start()], values[1], size), given)

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


@lru_cache(maxsize=256)
def _of_rows(insert: str, values: str, size: int) -> str:
    """An INSERT of the first rows of so many: how many they are is its last parameter."""
    return f"{insert}SELECT * FROM (VALUES {', '.join([values] * size)}) AS given LIMIT ?"
